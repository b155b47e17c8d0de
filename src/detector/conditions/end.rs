//! What a rise is asked besides once the run is over: whether it goes on.

use super::super::evidence::{Margin, NOTHING_TO_COMPARE, Unit};
use super::super::stretch::Stretch;
use super::Condition;

/// Asked of the shortest windows that show a rise which the run ended in, where it was not flagged while the program
/// ran: in longer ones its end is a blur.
pub(in super::super) const GOING_ON: Condition = Condition {
    name: "going on as the run ends",
    reason: "some high cycles at the very end look like a rise that goes on; over a longer end what has just become full has slowed",
    margin: going_on,
};

/// How long the end of a rise is, as a share of the whole.
const END: f64 = 0.25;

/// How much of its mean rate a rise must keep over that time: under noise the end of a leak wavers.
const RATE_KEPT: f64 = 0.6;

/// The floor of the last eighth of the time since the rise began beside that of as much time a quarter earlier.
fn going_on(stretch: &Stretch) -> Margin {
    let ladder = stretch.ladder;
    let now = ladder.windows(0).back().map_or(0.0, |latest| latest.end);
    let apart = END * (now - stretch.first().start);
    ladder.floors_apart(now, apart).map_or_else(
        || Margin::new(stretch.rise(), NOTHING_TO_COMPARE, Unit::Mib),
        |(before, latest)| {
            let risen = latest.mib() - stretch.first_floor.mib();
            let has = latest.mib() - before.mib();
            Margin::new(has, RATE_KEPT * END * risen, Unit::Mib)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::{RISES, at_last, on};
    use super::super::{Lately, STEADY, unmet, until_lately};
    use super::*;

    /// Seven windows of four cycles in 94 s that meet all else that is asked once the run is over, the last two cycles high:
    /// what is asked besides, and whether they meet it.
    fn going_on(floors: [u64; 7]) -> (String, bool) {
        let mut live = floors.map(|floor| [floor; 4]).concat();
        live[26..].fill(140);
        on(3.5, 4, RISES, &live, |stretch| {
            at_last(stretch, |ended| {
                assert_eq!(unmet(&STEADY, 0, ended), None);
                let margin = GOING_ON.margin(ended);
                (margin.to_string(), margin.is_met())
            })
        })
    }

    #[test]
    fn what_has_nearly_stopped_does_not_go_on_by_two_high_cycles() {
        let floors = |last| [100, 102, 104, 108, 122, 124, last];
        assert_eq!(
            going_on(floors(126)),
            ("4 MiB, 3.9 needed".into(), true),
            "six tenths of a quarter of 26"
        );
        assert_eq!(going_on(floors(125)), ("3 MiB, 3.75 needed".into(), false));
    }

    #[test]
    fn where_the_run_did_not_end_in_a_rise_what_rose_until_lately_has_stopped() {
        let lately = |live: &[u64]| {
            on(14.0, 1, RISES, live, |stretch| {
                at_last(stretch, until_lately)
            })
        };
        let plateau = [100, 120, 140, 160, 220, 222, 224];
        assert_eq!(lately(&plateau), Some(Lately::Stopped));
        let rise = [100, 120, 140, 160, 180, 200, 220];
        assert_eq!(lately(&rise), Some(Lately::Stopped), "it did not go on");
        let never = [100, 140, 170, 190, 200, 202, 204];
        assert_eq!(lately(&never), None, "it slowed all the time");
    }
}
