package chain

// Kinds of problems.
const (
	Changed   = "changed"   // an entry is not what was sealed
	Missing   = "missing"   // entries between others are gone
	CutOff    = "cutOff"    // the newest entries are gone
	Reordered = "reordered" // an entry stands in another's place
	Added     = "added"     // an entry was put in that was never sealed there
	Signature = "signature" // a mark is not what was signed
	Head      = "head"      // signed heads and entries contradict each other
)

// Problem is one thing that does not fit. It is about the entries Seq to Last; ID names the entry when it is a single one that is there.
type Problem struct {
	Kind    string `json:"kind"`
	Seq     int64  `json:"seq"`
	Last    int64  `json:"last"`
	ID      string `json:"id,omitempty"`
	Message string `json:"message"`
}

// Stretch is a run of places, both ends included.
type Stretch struct {
	First int64 `json:"first"`
	Last  int64 `json:"last"`
}

const (
	// listed bounds what is listed of each kind of finding; the rest is counted.
	listed = 1000
	// compared bounds the entries among which places are looked for that they were moved from: the search grows with the cube of it.
	compared = 48
)

// Findings are what walks found. Entries that have no hash are nobody's fault: a release that knew no hashes sealed them.
type Findings struct {
	Entries   int64 // whose hash was computed anew
	Bare      int64 // that have no hash
	Stretches []Stretch
	Problems  []Problem
	Unlisted  int64 // problems beyond those that are listed
	suspects  []suspect
}

// suspect is an entry whose hash is not the one that it ought to have behind its neighbour.
type suspect struct {
	entry                    Entry
	digest                   Hash
	before, stored, computed Hash
}

// Walk goes along a part of the chain in order. Signed are hashes that are known of some places.
type Walk struct {
	Findings
	Signed map[int64]Hash

	last     int64
	hash     Hash // that the newest hashed entry has
	expected Hash // that it, and the bare ones behind it, ought to have
	bare     []Problem
	bareLast int64
	digester Digester
}

// NewWalk begins behind the place last, where the chain has this hash.
func NewWalk(last int64, hash Hash) *Walk {
	return &Walk{last: last, hash: hash, expected: hash}
}

// Take looks at the next entry; stored is its hash, nil when it has none.
func (w *Walk) Take(e *Entry, stored *Hash) {
	w.take(e, w.digester.Digest(e), stored)
}

// Pass is Take for an entry of which only the digest is known.
func (w *Walk) Pass(seq int64, digest Hash, stored *Hash) {
	w.take(&Entry{Seq: seq}, digest, stored)
}

func (w *Walk) take(e *Entry, digest Hash, stored *Hash) {
	if e.Seq <= w.last {
		w.report(Problem{Kind: Added, Seq: e.Seq, ID: e.ID, Message: "There is more than one entry in this place."})
		return
	}
	gap := e.Seq > w.last+1
	if gap {
		w.report(Problem{Kind: Missing, Seq: w.last + 1, Last: e.Seq - 1, Message: "Entries are missing here, so the link of the next one cannot be checked either."})
	}
	w.last = e.Seq
	signed, isSigned := w.Signed[e.Seq]
	if stored == nil && !isSigned {
		w.passBare(e, digest)
		return
	}
	if stored == nil {
		w.report(robbed(e))
		stored = &signed
	}
	computed := Link(w.hash, digest)
	expected := *stored
	switch {
	case gap, computed == *stored:
		if isSigned && signed != *stored {
			w.report(Problem{Kind: Head, Seq: e.Seq, ID: e.ID, Message: "The entry does not have the hash that was signed for its place: it or entries before it were written anew, with all hashes behind them."})
		}
	case Link(w.expected, digest) == *stored: // so those before it are wrong: the hash of one, which is known already, or those that lost theirs
		for _, p := range w.bare {
			w.Bare--
			w.report(p)
		}
		w.bare = w.bare[:0]
	default:
		w.suspect(suspect{*e, digest, w.hash, *stored, computed})
		expected = computed
	}
	w.settle()
	w.Entries++
	w.hash, w.expected = *stored, expected
}

func (w *Walk) passBare(e *Entry, digest Hash) {
	w.Bare++
	w.expected, w.bareLast = Link(w.expected, digest), e.Seq
	if len(w.bare) < listed {
		w.bare = append(w.bare, robbed(e))
	}
}

func robbed(e *Entry) Problem {
	return Problem{Kind: Changed, Seq: e.Seq, ID: e.ID, Message: "The entry's hash was taken away."}
}

// settle believes that bare entries never had a hash.
func (w *Walk) settle() {
	if len(w.bare) > 0 && len(w.Stretches) < listed {
		w.Stretches = append(w.Stretches, Stretch{w.bare[0].Seq, w.bareLast})
	}
	w.bare = w.bare[:0]
}

// Passed is the newest place that was passed.
func (w *Walk) Passed() int64 { return w.last }

// Hash is the one that the chain has there, as it is stored.
func (w *Walk) Hash() Hash { return w.hash }

// IsIntact reports that everything fitted so far.
func (w *Walk) IsIntact() bool { return len(w.Problems) == 0 && len(w.suspects) == 0 }

// End closes the walk. It has to have reached the place until, at least; what lacks there is a problem of the given kind, Missing or CutOff.
func (w *Walk) End(until int64, kind string) *Findings {
	w.settle()
	if w.last < until {
		message := "Entries are missing here."
		if kind == CutOff {
			message = "The newest entries are missing: a head was signed for them."
		}
		w.report(Problem{Kind: kind, Seq: w.last + 1, Last: until, Message: message})
	}
	return &w.Findings
}

func (f *Findings) report(p Problem) {
	p.Last = max(p.Last, p.Seq)
	if len(f.Problems) >= listed {
		f.Unlisted++
		return
	}
	f.Problems = append(f.Problems, p)
}

func (f *Findings) suspect(s suspect) {
	if len(f.suspects) < compared {
		f.suspects = append(f.suspects, s)
		return
	}
	f.report(changed(s))
}

func changed(s suspect) Problem {
	return Problem{Kind: Changed, Seq: s.entry.Seq, ID: s.entry.ID, Message: "The entry is not what was sealed in this place: it, its place or its hash was changed."}
}
