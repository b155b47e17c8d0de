// Package sessions keeps every session for ever.
package sessions

// A Session is large enough to be noticed.
type Session struct {
	ID    int
	state [2000]byte
}

// A Store has no way to forget.
type Store struct{ byID map[int]*Session }

// NewStore makes one.
func NewStore() *Store { return &Store{byID: map[int]*Session{}} }

// New starts a session.
//
//go:noinline
func (s *Store) New(id int) int {
	session := &Session{ID: id} // LEAK:session
	s.byID[id] = session
	return session.ID
}
