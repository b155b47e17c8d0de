//! The text that went out last: how it begins and ends shows what to expect of another writer's text.

/// So much of it is kept, because its lines show how texts begin.
const MOST: usize = 2048;
/// So many of the first bytes of a text show how it begins.
const FIRST: usize = 8;

/// The text that went out last.
#[derive(Clone, Debug, Default)]
pub(super) struct LastText {
    /// Its end.
    last: Vec<u8>,
    /// Its first bytes since the last trace line.
    first: Vec<u8>,
    /// How much of it nobody has learnt from.
    unlearnt: usize,
}

impl LastText {
    /// More text goes out.
    pub(super) fn push(&mut self, text: &[u8]) {
        let missing = FIRST.saturating_sub(self.first.len());
        self.first.extend(text.iter().take(missing));
        let end = &text[text.len().saturating_sub(MOST)..];
        self.last.extend_from_slice(end);
        if self.last.len() > 2 * MOST {
            self.last.drain(..self.last.len() - MOST);
        }
        self.unlearnt += text.len();
    }

    /// A trace line was taken out: what follows is another text.
    pub(super) fn cut(&mut self) {
        self.first.clear();
    }

    /// How it began, behind the last trace line.
    pub(super) fn first(&self) -> &[u8] {
        &self.first
    }

    /// Its end.
    pub(super) fn last(&self) -> &[u8] {
        &self.last
    }

    /// What of its end nobody has learnt from. Somebody does now.
    pub(super) fn learn(&mut self) -> &[u8] {
        let unlearnt = std::mem::take(&mut self.unlearnt);
        &self.last[self.last.len() - unlearnt.min(MOST).min(self.last.len())..]
    }

    /// The same text for somebody else, who has nothing to learn from it.
    pub(super) fn behind(&self) -> Self {
        Self {
            last: self.last.clone(),
            ..Self::default()
        }
    }
}
