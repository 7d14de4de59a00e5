package mishaps

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/store"
)

// decided is what the engine keeps of an action that concerns a judge.
type decided struct {
	Launch    *cloud.Launch `json:"launch"`
	Terminate []string      `json:"terminate"`
}

// actions lists what the engine has decided for the group, or only what has not settled.
func (r *run) actions(onlyPending bool) []store.Doc[decided] {
	q := store.Query{Parent: r.group.ID}
	if onlyPending {
		q.States = []string{"pending"}
	}
	list, _, err := store.Collection[decided]{Table: "actions", Noun: "action"}.List(r.T.Context(), r.Fleet.DB, store.Installation(), q)
	if err != nil {
		r.T.Fatal(err)
	}
	return list
}

// rows are all that the engine ever knew as instances of the group.
func (r *run) rows() map[string]fleet.Instance {
	list, _, err := store.Collection[fleet.Instance]{Table: "instances", Noun: "instance"}.List(r.T.Context(), r.Fleet.DB, store.Installation(), store.Query{Parent: r.group.ID})
	if err != nil {
		r.T.Fatal(err)
	}
	rows := map[string]fleet.Instance{}
	for _, d := range list {
		rows[d.ID] = d.Value
	}
	return rows
}

func (r *run) hasLivingRow() bool {
	for _, row := range r.rows() {
		if row.Phase.IsAlive() {
			return true
		}
	}
	return false
}

// judge waits until nothing is wrong: at any one moment a late notice may have set something in motion.
func (r *run) judge() {
	r.T.Helper()
	var wrong []string
	defer func() {
		if r.T.Failed() {
			r.T.Log(strings.Join(wrong, "\n"))
		}
	}()
	r.until("the cloud has what the engine decided, and no more", func() bool { wrong = r.wrong(); return len(wrong) == 0 })
}

// wrong compares what the cloud has with what the engine decided.
func (r *run) wrong() (faults []string) {
	r.T.Helper()
	note := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	launches := map[string]int{}
	for _, a := range r.actions(false) {
		if a.Value.Launch != nil {
			launches[a.ID] = a.Value.Launch.Count
		}
		if a.State == "pending" {
			note("action %s is pending although all is well: %+v", a.ID, a.Value)
		}
	}
	all := r.all()
	if len(all) == 0 {
		r.T.Fatal("the cloud has never started anything")
	}
	count, rows := map[string]int{}, r.rows()
	for _, s := range all {
		count[s.token]++
		row, known := rows[s.ID]
		switch {
		case !known:
			note("%s (%s) was started by %s, and the engine has no row for it", s.ID, s.State, s.token)
		case row.Phase.IsAlive() != s.isAlive():
			note("%s is %s in the cloud and %s in its row", s.ID, s.State, row.Phase)
		}
		if s.Tags["neap:owner"] != r.group.ID {
			note("%s has the owner %q", s.ID, s.Tags["neap:owner"])
		}
	}
	for token, n := range count {
		if n > launches[token] {
			note("doubled: %s was to start %d instances and started %d", token, launches[token], n)
		}
	}
	surplus := 0
	for _, row := range rows {
		if row.LeaveReason == string(plan.ReasonScaleIn) {
			surplus++
		}
	}
	if surplus > r.decreases {
		note("doubled: %d instances were ended as surplus, where scaling down explains %d", surplus, r.decreases)
	}
	return faults
}

// judgeEnd makes sure that nothing is left of the deleted group.
func (r *run) judgeEnd() {
	r.T.Helper()
	for _, s := range r.alive() {
		r.T.Errorf("leaked: %s lives on, started by %s", s.ID, s.token)
	}
	if r.hasLivingRow() {
		r.T.Errorf("rows live on: %+v", r.rows())
	}
	if size, err := r.Fleet.Size(r.T.Context(), ""); err != nil || size != (fleet.Size{}) {
		r.T.Errorf("there are %+v, %v", size, err)
	}
	if r.far.left != nil {
		for _, what := range r.far.left(r.Neap) {
			r.T.Errorf("leaked: %s is left", what)
		}
	}
}

// log is what the group's log says, oldest first.
func (r *run) log() string {
	lines, err := r.Fleet.Journal.Lines(r.T.Context(), r.account, r.group.ID, journal.LineQuery{From: r.far.began.Add(-time.Hour), To: r.Clock.Now().Add(time.Hour), Limit: 1000})
	if err != nil {
		return err.Error()
	}
	var text strings.Builder
	slices.Reverse(lines)
	for _, l := range lines {
		text.WriteString(l.At.Format(time.TimeOnly) + " " + string(l.Severity) + " " + l.Message + "\n")
	}
	return text.String()
}
