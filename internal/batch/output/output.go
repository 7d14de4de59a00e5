// Package output keeps what jobs wrote: lines by job and attempt, read in pages, and followed while they come.
//
// It owns the log of output and how much of it one attempt may fill. It must not know why an attempt runs. Start reading at Book; Collector fills it.
package output

import "time"

// Line is one line that a job wrote.
type Line struct {
	Attempt int // from 1 on
	N       int64
	At      time.Time // wall time
	Stream  string    // "stdout" or "stderr"
	Text    string
	Dropped int64 // lines before this one that were not kept
}

// Query selects lines of one job, oldest first. A page ends early when it is large: only next tells whether there is more.
type Query struct {
	Attempt int    // 0 = all
	After   string // cursor of the page before
	Limit   int    // 0 = 1,000; at most 10,000
	Newest  bool   // the last Limit lines instead of the first; After is then beside the point
}

// Ref names an attempt.
type Ref struct {
	Account string
	Job     string
	Attempt int
}
