package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	_ "modernc.org/sqlite" // driver "sqlite"

	"github.com/neap-cloud/neap/internal/batch/batchtest"
)

// verdict is what the judge found.
type verdict struct {
	Jobs, Attempts, Steps          int
	Preempted, Lost, Refused, Runs int
	Problems                       []string // the first hundred
}

func (v *verdict) String() string {
	text := fmt.Sprintf("%d jobs had %d attempts (%d preempted, %d lost, %d refused) in %d steps; %d tasks ran.\n", v.Jobs, v.Attempts, v.Preempted, v.Lost, v.Refused, v.Steps, v.Runs)
	for _, p := range v.Problems {
		text += "  " + p + "\n"
	}
	return text
}

func (v *verdict) problem(format string, args ...any) {
	if len(v.Problems) < 100 {
		v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
	}
}

// story is what is known of one job from everywhere.
type story struct {
	state    string
	attempts []attempt
	steps    []step
	ends     map[int]int // by attempt: how often its task came to its own end, by the runtime's record
	begins   map[int]int
}

type attempt struct {
	N       int
	Outcome string
}

type step struct {
	From, To string
	Attempt  int
}

// judge reads the tables and the runtime's record, and holds them to the promises.
func judge(data, evidence string, submitted []string) (*verdict, error) {
	stories := map[string]*story{}
	if err := readTables(filepath.Join(data, "neap.db"), stories); err != nil {
		return nil, err
	}
	if err := readEvidence(evidence, stories); err != nil {
		return nil, err
	}
	return judged(stories, submitted), nil
}

func of(stories map[string]*story, id string) *story {
	s := stories[id]
	if s == nil {
		s = &story{ends: map[int]int{}, begins: map[int]int{}}
		stories[id] = s
	}
	return s
}

func readTables(path string, stories map[string]*story) error {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		return err
	}
	defer db.Close()
	err = each(db, "SELECT id, doc FROM jobs", func(id, doc string) error {
		var j struct {
			State    string
			Attempts []attempt
		}
		err := json.Unmarshal([]byte(doc), &j)
		s := of(stories, id)
		s.state, s.attempts = j.State, j.Attempts
		return err
	})
	if err != nil {
		return err
	}
	return each(db, "SELECT resource, doc FROM job_history ORDER BY ord", func(id, doc string) error {
		var one step
		err := json.Unmarshal([]byte(doc), &one)
		s := of(stories, id)
		s.steps = append(s.steps, one)
		return err
	})
}

func each(db *sql.DB, query string, take func(id, doc string) error) error {
	rows, err := db.Query(query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, doc string
		if err := rows.Scan(&id, &doc); err != nil {
			return err
		}
		if err := take(id, doc); err != nil {
			return err
		}
	}
	return rows.Err()
}

func readEvidence(path string, stories map[string]*story) error {
	return batchtest.Entries(path, func(e batchtest.Entry) {
		at := strings.LastIndexByte(e.Task, '.')
		n := 0
		if _, err := fmt.Sscan(e.Task[at+1:], &n); err != nil {
			n = -1
		}
		s := of(stories, e.Task[:at])
		switch {
		case e.What == "begin":
			s.begins[n]++
		case e.What == "end" && e.Code == 0:
			s.ends[n]++
		}
	})
}

// judged holds stories to the promises: every job that was submitted came to one good end, by one attempt, whose task came to its end once.
func judged(stories map[string]*story, submitted []string) *verdict {
	v := &verdict{Jobs: len(stories)}
	seen := map[string]bool{}
	for n, id := range submitted {
		if seen[id] {
			v.problem("job %d was given the id %s, which another one has", n, id)
		}
		if seen[id] = true; stories[id] == nil || stories[id].state == "" {
			v.problem("job %d, %s, is lost: there is no such job", n, id)
		}
	}
	ids := make([]string, 0, len(stories))
	for id := range stories {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if !seen[id] {
			v.problem("job %s is there although nobody submitted it", id)
		}
		v.one(id, stories[id])
	}
	return v
}

func (v *verdict) one(id string, s *story) {
	if s.state != "SUCCEEDED" {
		v.problem("job %s is %s", id, s.state)
	}
	good := 0
	for i, a := range s.attempts {
		v.Attempts++
		switch a.Outcome {
		case "succeeded":
			good++
			if s.ends[a.N] != 1 {
				v.problem("attempt %d of job %s succeeded, but its task came to its end %d times", a.N, id, s.ends[a.N])
			}
		case "preempted":
			v.Preempted++
		case "lost":
			v.Lost++
		case "refused":
			v.Refused++
		default:
			v.problem("attempt %d of job %s has the outcome %q", a.N, id, a.Outcome)
		}
		if a.N != i+1 {
			v.problem("the attempts of job %s are not numbered one by one", id)
		}
	}
	if good != 1 {
		v.problem("job %s has %d good attempts", id, good)
	}
	ends := 0
	for n, times := range s.begins {
		v.Runs++
		ends += s.ends[n]
		if times > 1 {
			v.problem("attempt %d of job %s was begun %d times", n, id, times)
		}
		if n > len(s.attempts) {
			v.problem("attempt %d of job %s ran, and nobody knows of it", n, id)
		}
	}
	if ends > 1 {
		v.problem("job %s was completed %d times", id, ends)
	}
	v.path(id, s)
}

// follows is what may come after what, as it is told to users; it is written down here once more so that a mistake in the room's own table shows.
var follows = map[string][]string{
	"SUBMITTED": {"RUNNABLE"},
	"RUNNABLE":  {"STARTING"},
	"STARTING":  {"RUNNING", "RUNNABLE"},
	"RUNNING":   {"SUCCEEDED", "RUNNABLE"},
}

func (v *verdict) path(id string, s *story) {
	at := "SUBMITTED"
	for _, one := range s.steps {
		v.Steps++
		if one.From != at || !slices.Contains(follows[at], one.To) {
			v.problem("job %s went from %s to %s when it was %s", id, one.From, one.To, at)
		}
		at = one.To
	}
	if at != s.state {
		v.problem("the history of job %s ends with %s, and it is %s", id, at, s.state)
	}
}
