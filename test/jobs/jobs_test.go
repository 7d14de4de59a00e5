package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-node") {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestNoJobIsLostCompletedTwiceOrStuckWhateverIsKilledAndTakenBack(t *testing.T) {
	o := options{Jobs: 2000, Kill: 1500 * time.Millisecond, Storm: 2 * time.Second, Rate: 60, Slots: 32, Seed: 7, Data: t.TempDir()}
	if err := ordeal(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

// fine is a job that was lost once and then completed.
func fine() *story {
	return &story{
		state: "SUCCEEDED", attempts: []attempt{{1, "lost"}, {2, "succeeded"}},
		steps: []step{
			{"SUBMITTED", "RUNNABLE", 0}, {"RUNNABLE", "STARTING", 1}, {"STARTING", "RUNNABLE", 1},
			{"RUNNABLE", "STARTING", 2}, {"STARTING", "RUNNING", 2}, {"RUNNING", "SUCCEEDED", 2},
		},
		begins: map[int]int{1: 1, 2: 1}, ends: map[int]int{2: 1},
	}
}

func TestTheJudgeSeesEveryKindOfBrokenPromise(t *testing.T) {
	for broken, harm := range map[string]func(*story){
		"":                            func(*story) {},
		"is FAILED":                   func(s *story) { s.state = "FAILED" },
		"good attempts":               func(s *story) { s.attempts[0].Outcome = "succeeded" },
		"completed 2 times":           func(s *story) { s.ends[1] = 1 },
		"came to its end 0 times":     func(s *story) { s.ends = map[int]int{} },
		"was begun 2 times":           func(s *story) { s.begins[2] = 2 },
		"nobody knows of it":          func(s *story) { s.begins[3] = 1 },
		"has the outcome \"\"":        func(s *story) { s.attempts[0].Outcome = "" },
		"when it was RUNNABLE":        func(s *story) { s.steps = slices.Delete(s.steps, 1, 2) },
		"when it was SUCCEEDED":       func(s *story) { s.steps = append(s.steps, step{"SUCCEEDED", "RUNNABLE", 2}) },
		"ends with RUNNING":           func(s *story) { s.steps = s.steps[:5] },
		"are not numbered one by one": func(s *story) { s.attempts[0].N = 4 },
		"there is no such job":        func(s *story) { s.state = "" },
	} {
		s := fine()
		harm(s)
		v := judged(map[string]*story{"job": s}, []string{"job"})
		if told := strings.Join(v.Problems, "\n"); broken == "" && told != "" || !strings.Contains(told, broken) {
			t.Errorf("%q: the judge says %q", broken, told)
		}
	}
	if v := judged(map[string]*story{"a": fine(), "b": fine()}, []string{"a", "a", "c"}); len(v.Problems) != 3 {
		t.Errorf("a job twice, one that nobody submitted, one that is not there: %q", v.Problems)
	}
}
