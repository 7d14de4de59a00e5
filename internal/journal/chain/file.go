package chain

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Format begins the first line of a file of exported entries.
const Format = "neap audit export 1"

// Preface is the first line of such a file: what is needed to verify the lines that follow, one Line each.
type Preface struct {
	Format    string `json:"format"`
	PublicKey string `json:"publicKey"` // in hex
	Begin     Mark   `json:"begin"`
	Head      Mark   `json:"head"` // the last line's
}

// Line is an entry with its place in the chain. Of another organisation's entry there is the digest alone, so that the links can be followed.
type Line struct {
	Seq      int64  `json:"seq"`
	Hash     *Hash  `json:"hash,omitempty"` // none when a release that knew no hashes sealed it
	Previous Hash   `json:"previous"`       // the chain's hash before
	Digest   *Hash  `json:"digest,omitempty"`
	ID       string `json:"id,omitempty"`
	Account  string `json:"account,omitempty"`
	Resource string `json:"resource,omitempty"`
	Kind     string `json:"kind,omitempty"`
	At       int64  `json:"at,omitempty"` // microseconds
	Doc      string `json:"doc,omitempty"`
}

// NewLine is an entry as it is exported.
func NewLine(e Entry, hash *Hash, previous Hash, isOwn bool) Line {
	if !isOwn {
		digest := new(Digester).Digest(&e)
		return Line{Seq: e.Seq, Hash: hash, Previous: previous, Digest: &digest}
	}
	return Line{Seq: e.Seq, Hash: hash, Previous: previous, ID: e.ID, Account: e.Account, Resource: e.Resource, Kind: e.Kind, At: e.At, Doc: e.Doc}
}

// Verdict is what a file shows.
type Verdict struct {
	Findings
	Preface
	First  int64 // place of the first line
	Others int64 // entries of which only the digest is in the file
	// Whole says that the file begins where the chain does. The link of a later first line cannot be checked.
	Whole bool
}

// VerifyFile reads exported entries and checks hashes, links and signatures against public, or against the key in the file when public is nil: then it shows only
// that the file agrees with itself. kept are heads that somebody kept elsewhere. An error is about what cannot be read at all.
func VerifyFile(from io.Reader, public ed25519.PublicKey, kept map[int64]Hash) (v Verdict, err error) {
	lines := json.NewDecoder(from)
	if err := lines.Decode(&v.Preface); err != nil || v.Format != Format {
		return v, errors.Join(fmt.Errorf("the first line is not that of an exported audit (%q)", Format), err)
	}
	if public == nil {
		if public, err = ReadKey(v.PublicKey); err != nil {
			return v, err
		}
	}
	var problems Findings
	for _, m := range []Mark{v.Begin, v.Head} {
		if !m.SignedBy(public) {
			problems.report(Problem{Kind: Signature, Seq: m.Seq, Message: fmt.Sprintf("The mark %q of the file was not signed with this key, or was changed afterwards.", m.Kind)})
		}
	}
	if v.Head.Kind != Sealed || v.Begin.Kind == Sealed {
		problems.report(Problem{Kind: Signature, Seq: v.Head.Seq, Message: fmt.Sprintf("The file's head is a mark %q, and its beginning a mark %q.", v.Head.Kind, v.Begin.Kind)})
	}
	signed := map[int64]Hash{}
	for seq, hash := range kept {
		signed[seq] = hash
		if seq > v.Head.Seq {
			problems.report(Problem{Kind: CutOff, Seq: v.Head.Seq + 1, Last: seq, Message: "The file ends before the head that was kept."})
		}
		if seq == v.Head.Seq && hash != v.Head.Hash {
			problems.report(Problem{Kind: Head, Seq: seq, Message: "The head that was kept has another hash than the file's."})
		}
	}
	signed[v.Head.Seq] = v.Head.Hash
	walk := NewWalk(v.Begin.Seq, v.Begin.Hash)
	for {
		var l Line
		if err := lines.Decode(&l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return v, fmt.Errorf("behind entry %d the file cannot be read: %w", walk.Passed(), err)
		}
		if v.First == 0 {
			if v.First, v.Whole = l.Seq, l.Seq <= v.Begin.Seq+1; !v.Whole {
				walk = NewWalk(l.Seq-1, l.Previous)
			}
			walk.Signed = signed
		}
		if l.Seq == walk.Passed()+1 && l.Previous != walk.hash {
			problems.report(Problem{Kind: Changed, Seq: l.Seq, ID: l.ID, Message: "What the line says of the hash before is not what stands there."})
		}
		if l.Digest != nil {
			v.Others++
			walk.Pass(l.Seq, *l.Digest, l.Hash)
			continue
		}
		walk.Take(&Entry{Seq: l.Seq, ID: l.ID, Account: l.Account, Resource: l.Resource, Kind: l.Kind, At: l.At, Doc: l.Doc}, l.Hash)
	}
	v.Findings = Review(signed, &problems, walk.End(v.Head.Seq, CutOff))
	return v, nil
}

// ReadKey reads a public key's hex digits.
func ReadKey(text string) (ed25519.PublicKey, error) {
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%.80q is no public key: that is %d hex digits", text, 2*ed25519.PublicKeySize)
	}
	return key, nil
}
