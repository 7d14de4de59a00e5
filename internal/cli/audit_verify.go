package cli

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/words"
	"github.com/neap-cloud/neap/internal/journal/chain"
)

func (s *shell) auditVerify() *cobra.Command {
	var file, key, head string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Find out whether the audit is as it was written",
		Long: "Find out whether the audit is as it was written; the exit code is 1 when it is not.\n\n" +
			"Without --file the server computes every hash of its database anew, for the organisation that runs the installation. With --file an exported file is verified here, and no\n" +
			"server is asked: give the installation's public key with --key, because the one in the file only shows that the file agrees with itself. --head is a head that you kept: what\n" +
			"was recorded up to it has to be there, unchanged.",
		Args:    cobra.NoArgs,
		Example: "neap audit verify\nneap audit verify --file audit.jsonl",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.checkOutput(); err != nil {
				return err
			}
			if key != "" && file == "" {
				return usagef("--key is for --file: the server has a key of its own.")
			}
			r, raw, err := auditReport{}, json.RawMessage(nil), error(nil)
			if file != "" {
				if r, err = verifyFile(file, key, head, cmd.InOrStdin()); err == nil {
					raw, err = json.Marshal(r)
				}
			} else {
				r, raw, err = s.verifyRemote(cmd.Context(), head)
			}
			if err != nil {
				return err
			}
			if err := s.write(cmd.OutOrStdout(), page{raw: raw, text: r.text}); err != nil {
				return err
			}
			if n := int64(len(r.Problems)) + r.Unlisted; n > 0 {
				return fmt.Errorf("The audit is not as it was written: %s.", plural(n, "problem", "problems"))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "exported file to verify here; - is standard input")
	cmd.Flags().StringVar(&key, "key", "", "public key of the installation, 64 hex digits (default: the one in the file)")
	cmd.Flags().StringVar(&head, "head", "", "a head that was kept, SEQ:HASH")
	return cmd
}

// auditReport is a verification, the server's or our own.
type auditReport struct {
	Verified  bool            `json:"verified"`
	Entries   int64           `json:"entries"`
	Others    int64           `json:"others,omitempty"`
	Before    int64           `json:"before,omitempty"`
	Unhashed  int64           `json:"unhashed,omitempty"`
	Stretches []chain.Stretch `json:"unhashedStretches,omitempty"`
	Waiting   int64           `json:"waiting,omitempty"`
	Begin     *chain.Mark     `json:"begin,omitempty"`
	Head      *chain.Mark     `json:"head,omitempty"`
	First     int64           `json:"first,omitempty"` // entry of a file that does not begin where the chain does
	OwnKey    bool            `json:"ownKey,omitempty"`
	PublicKey string          `json:"publicKey"`
	Problems  []chain.Problem `json:"problems"`
	Unlisted  int64           `json:"unlistedProblems,omitempty"`
	Seconds   float64         `json:"seconds,omitempty"`
}

func (s *shell) verifyRemote(ctx context.Context, head string) (r auditReport, raw json.RawMessage, err error) {
	c, err := s.client()
	if err != nil {
		return r, nil, err
	}
	query := url.Values{}
	if head != "" {
		query.Set("head", head)
	}
	c.http.Timeout = verifyTimeout
	a, err := c.do(ctx, get(auditPath+"/verify", query))
	if err != nil {
		return r, nil, err
	}
	if err := json.Unmarshal(a.body, &r); err != nil {
		return r, nil, fmt.Errorf("the server's answer has an unexpected form: %w", err)
	}
	return r, a.body, nil
}

// verifyTimeout is for some hundred million entries.
const verifyTimeout = time.Hour

func verifyFile(name, key, head string, in io.Reader) (r auditReport, err error) {
	var public ed25519.PublicKey
	if key != "" {
		if public, err = chain.ReadKey(key); err != nil {
			return r, &usageError{err}
		}
	}
	kept := map[int64]chain.Hash{}
	if head != "" {
		place, text, _ := strings.Cut(head, ":")
		seq, err := strconv.ParseInt(place, 10, 64)
		var hash chain.Hash
		if err != nil || seq < 1 || hash.UnmarshalText([]byte(text)) != nil {
			return r, usagef("--head %.90q is not SEQ:HASH, a number and 64 hex digits.", head)
		}
		kept[seq] = hash
	}
	if name != "-" {
		file, wrong := os.Open(name)
		if wrong != nil {
			return r, wrong
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		in = file
	}
	v, err := chain.VerifyFile(in, public, kept)
	if err != nil {
		return r, fmt.Errorf("%s: %w", name, err)
	}
	r = auditReport{
		Verified: len(v.Problems) == 0, Entries: v.Entries, Others: v.Others, Unhashed: v.Bare, Stretches: v.Stretches, Begin: &v.Begin, Head: &v.Head, OwnKey: key == "",
		PublicKey: v.PublicKey, Problems: append([]chain.Problem{}, v.Problems...), Unlisted: v.Unlisted,
	}
	if !v.Whole {
		r.First = v.First
	}
	return r, nil
}

func (r auditReport) text(w io.Writer, wide bool) error {
	if len(r.Problems) == 0 {
		verdict := "is as it was sealed"
		if r.Entries != 1 {
			verdict = "are as they were sealed"
		}
		fmt.Fprintf(w, "%s %s.\n", plural(r.Entries, "entry", "entries"), verdict)
	}
	var bare []string
	for _, s := range r.Stretches {
		bare = append(bare, placesOf(s.First, s.Last))
	}
	pairs := []pair{{"Head", placeOf(r.Head)}, {"Begins behind", placeOf(r.Begin)}, {"Public key", r.PublicKey}}
	for _, p := range []struct {
		name, note string
		n          int64
	}{
		{"Not covered", "older than the chain", r.Before},
		{"Not covered", "without a hash, sealed by an older release: " + several(bare, 5), r.Unhashed},
		{"Not sealed yet", "written a moment ago", r.Waiting},
		{"Of others", "their digests only", r.Others},
	} {
		if p.n > 0 {
			pairs = append(pairs, pair{p.name, fmt.Sprintf("%s, %s", plural(p.n, "entry", "entries"), p.note)})
		}
	}
	if r.First > 0 {
		pairs = append(pairs, pair{"Note", fmt.Sprintf("The file begins with entry %d; that it links to the one before is not shown.", r.First)})
	}
	if r.OwnKey {
		pairs = append(pairs, pair{"Note", "The key is the file's own: compare it with the installation's, or give that with --key."})
	}
	if err := writePairs(w, pairs); err != nil || len(r.Problems) == 0 {
		return err
	}
	fmt.Fprintln(w)
	return writeTable(w, wide, []column[chain.Problem]{
		{head: "PLACE", cell: func(p chain.Problem) string { return placesOf(p.Seq, p.Last) }},
		{head: "PROBLEM", cell: func(p chain.Problem) string { return p.Kind }},
		{head: "ENTRY", cell: func(p chain.Problem) string { return p.ID }},
		{head: "WHAT", cell: func(p chain.Problem) string { return p.Message }},
	}, r.Problems)
}

func placesOf(first, last int64) string {
	if first == last {
		return strconv.FormatInt(first, 10)
	}
	return fmt.Sprintf("%d-%d", first, last)
}

// placeOf shows a mark as --head takes it, with what it says.
func placeOf(m *chain.Mark) string {
	if m == nil {
		return "nothing is signed yet"
	}
	if m.Hash == (chain.Hash{}) {
		return fmt.Sprintf("%d (%s %s)", m.Seq, m.Kind, words.Stamp(m.At))
	}
	return fmt.Sprintf("%d:%s (%s %s)", m.Seq, m.Hash, m.Kind, words.Stamp(m.At))
}

func plural(n int64, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}
