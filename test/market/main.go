// Command market measures what the market's model is worth: it replays recorded and simulated markets under our own policy, under those of others and with hindsight,
// and writes the figures into docs/market.md, between the markers that stand there for each section.
//
// It owns the measuring only; the policies, the worlds and hindsight are the laboratory's. Start reading at sections, then at versus, which is the table that most of
// them show. It ends with status 1 when a line that must hold does not, unless shortfalls names it.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// options say what is measured.
type options struct {
	Traces string // folder of the recorded traces; "" = there are none
	Quick  bool   // few seeds and short spans, and nothing is written into the page
	Only   string // names of sections; "" = all
	JSON   string // file for the figures; "" = none
	Page   string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var o options
	flag.StringVar(&o.Traces, "traces", os.Getenv("NEAP_TRACES"), "folder of the recorded traces (default: what NEAP_TRACES names)")
	flag.BoolVar(&o.Quick, "quick", false, "few seeds and short spans; the page stays as it is")
	flag.StringVar(&o.Only, "only", "", "run some sections only, for example recorded,storm")
	flag.StringVar(&o.JSON, "json", "", "file that the figures are written to as JSON")
	flag.StringVar(&o.Page, "page", filepath.Join("docs", "market.md"), "page that the figures are written into")
	flag.Parse()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "market:", err)
		os.Exit(1)
	}
}

// result is what a section found.
type result struct {
	Name   string   `json:"name"`
	Title  string   `json:"title"`
	Notes  []string `json:"notes"`
	Tables []table  `json:"tables"`
	Lines  []line   `json:"must_hold"`
	Took   float64  `json:"seconds"`

	pictures map[string][]byte // by the name of the file beside the page
}

func (r *result) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func run(ctx context.Context, o options) error {
	chosen, err := choose(o.Only)
	if err != nil {
		return err
	}
	b := &bench{ctx: ctx, quick: o.Quick, data: newData(o.Traces), past: map[string][]tally{}}
	var all []result
	var failed error
	for _, s := range chosen {
		if missing := b.data.missing(s.needs); missing != "" {
			fmt.Printf("\n%s: not run, because there is no %s; NEAP_TRACES or -traces names the folder of the recorded traces\n", s.name, missing)
			continue
		}
		began := time.Now()
		b.name = s.name
		r := result{Name: s.name, Title: s.title}
		if err := s.run(b, &r); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s could not be measured: %w", s.name, err))
			continue // what the others find is not lost
		}
		r.Took = time.Since(began).Round(100 * time.Millisecond).Seconds()
		fmt.Fprintf(os.Stderr, "%s took %.1f s\n", s.name, r.Took)
		judge(r.Lines)
		all = append(all, r)
		fmt.Println(r.text())
	}
	if o.JSON != "" {
		raw, err := json.MarshalIndent(all, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.JSON, append(raw, '\n'), 0o644); err != nil {
			return err
		}
	}
	if !o.Quick {
		if err := write(o.Page, all, len(all) == len(sections())); err != nil {
			return err
		}
	}
	return errors.Join(failed, verdict(all))
}

// choose gives the sections of a list of names.
func choose(names string) ([]section, error) {
	all := sections()
	if names == "" {
		return all, nil
	}
	var known []string
	for _, s := range all {
		known = append(known, s.name)
	}
	var chosen []section
	for name := range strings.SplitSeq(names, ",") {
		at := slices.Index(known, name)
		if at < 0 {
			return nil, fmt.Errorf("there is no section %q; there are %s", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, all[at])
	}
	slices.SortStableFunc(chosen, func(a, b section) int { return cmp.Compare(slices.Index(known, a.name), slices.Index(known, b.name)) })
	return chosen, nil
}

// text is a section for the page and for the screen.
func (r result) text() string {
	text := ""
	for _, note := range r.Notes {
		text += note + "\n\n"
	}
	for _, t := range r.Tables {
		text += t.markdown() + "\n"
	}
	if len(r.Lines) > 0 {
		text += linesTable(r.Lines).markdown()
	}
	return text
}

// write puts the figures into the page, and pictures beside it. What holds in all is written only when everything was measured.
func write(page string, all []result, isWhole bool) error {
	raw, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	text := string(raw)
	var lines []line
	for _, r := range all {
		if text, err = replace(text, r.Name, r.text()); err != nil {
			return fmt.Errorf("%s: %w", page, err)
		}
		lines = append(lines, r.Lines...)
		for name, picture := range r.pictures {
			if err := os.WriteFile(filepath.Join(filepath.Dir(page), name), picture, 0o644); err != nil {
				return err
			}
		}
	}
	if isWhole {
		if text, err = replace(text, "must-hold", linesTable(lines).markdown()); err != nil {
			return fmt.Errorf("%s: %w", page, err)
		}
	}
	return os.WriteFile(page, []byte(text), 0o644)
}

// verdict fails when a claimed line does not hold.
func verdict(all []result) error {
	var broken []string
	for _, r := range all {
		for _, l := range r.Lines {
			if l.Claimed && !l.Holds {
				broken = append(broken, fmt.Sprintf("%s: %s, %s, is %s from the bound %s", r.Name, l.Text, l.Measured, l.By, l.Bound))
			}
		}
	}
	if len(broken) > 0 {
		return fmt.Errorf("%d lines that must hold do not:\n  %s", len(broken), strings.Join(broken, "\n  "))
	}
	return nil
}
