package disasters

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim"
)

// settle waits until every group is as it was wished, by the cloud's own record and by Neap's.
func (r *rehearsal) settle(limit time.Duration) error {
	err := r.until("every group is as it was wished", limit, func() (string, error) {
		record, err := r.world.Ledger(context.Background())
		if err != nil {
			return "", err
		}
		for _, k := range r.groups {
			missing, err := r.isKept(k, record)
			if missing != "" || err != nil {
				return k.Name + ": " + missing, err
			}
		}
		return "", nil
	})
	for _, k := range r.groups {
		if k.settled.IsZero() {
			k.settled = r.time.Now()
		}
	}
	return err
}

// isKept says what is missing until a group is as it was wished; a deleted one has to be gone.
func (r *rehearsal) isKept(k *kept, record sim.Ledger) (missing string, err error) {
	alive := map[string]bool{}
	dear := 0
	for _, i := range record.Instances {
		if i.Alive && i.Tags["neap:owner"] == k.id {
			alive[i.ID] = true
			if i.Market.Lifecycle == cloud.OnDemand {
				dear++
			}
		}
	}
	if !k.deleted.IsZero() {
		if len(alive) > 0 {
			return fmt.Sprintf("%d instances live on although it was deleted: %v", len(alive), alive), nil
		}
		return "", nil
	}
	if len(alive) != k.target {
		return fmt.Sprintf("%d instances live in the cloud, %d are wanted", len(alive), k.target), nil
	}
	if floor := min(k.OnDemand, k.target); dear < floor {
		return fmt.Sprintf("%d instances are on demand, the floor is %d", dear, floor), nil
	}
	rows, err := r.items(http.MethodGet, "/aws/ec2/group/"+k.id+"/status", nil)
	if err != nil {
		return "", err
	}
	for _, row := range rows {
		id, _ := row["instanceId"].(string)
		if !alive[id] || row["status"] != "fulfilled" {
			return fmt.Sprintf("row %s has the status %v, alive %v", id, row["status"], alive[id]), nil
		}
	}
	if len(rows) != k.target {
		return fmt.Sprintf("%d rows, %d instances", len(rows), k.target), nil
	}
	return "", nil
}

// judge compares the cloud's record with the journal, when all is over.
func (r *rehearsal) judge() {
	r.t.Helper()
	record, err := r.world.Ledger(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	if len(record.Calls) == 0 {
		r.t.Fatal("the cloud saw no call at all")
	}
	owners := map[string]*kept{}
	for _, k := range r.groups {
		owners[k.id] = k
	}
	r.judgeTokens(record)
	for _, i := range record.Instances {
		if owners[i.Tags["neap:owner"]] == nil && i.Alive && i.Tags["neap:owner"] != r.other {
			r.t.Errorf("leaked: %s lives, and belongs to nobody: %v", i.ID, i.Tags)
		}
	}
	for _, k := range r.groups {
		// That each is at its target was found a moment ago; by now the cloud may have taken the next instance back.
		if k.deleted.IsZero() {
			r.judgeEnds(k, record)
			r.judgeFloor(k, record)
			r.judgePeak(k, record)
		}
	}
}

// judgeTokens: no launch gave more instances than it asked for, and none was carried out under two tokens unexplained.
func (r *rehearsal) judgeTokens(record sim.Ledger) {
	asked := map[string]int{}
	for _, c := range record.Calls {
		if c.Call != sim.LaunchCall {
			continue
		}
		token, rest, _ := strings.Cut(c.Detail, " ")
		var started, wanted int
		if _, count, ok := strings.Cut(rest, ": "); ok {
			if _, err := fmt.Sscanf(count, "%d of %d", &started, &wanted); err != nil {
				r.t.Errorf("the cloud's record of a launch can't be read: %q", c.Detail)
			}
		}
		asked[token] = max(asked[token], wanted)
	}
	got := map[string]int{}
	for _, i := range record.Instances {
		got[i.Token]++
	}
	for token, n := range got {
		if n > asked[token] {
			r.t.Errorf("doubled: %s asked for %d and has %d", token, asked[token], n)
		}
	}
}

// judgeEnds: whatever Neap ended, a decision of the group explains, and the reasons are those that the day gave.
func (r *rehearsal) judgeEnds(k *kept, record sim.Ledger) {
	why, err := r.reasons(k)
	if err != nil {
		r.t.Errorf("read the decisions of %s: %v", k.Name, err)
		return
	}
	count := map[string]int{}
	for _, i := range record.Instances {
		if i.Tags["neap:owner"] != k.id || i.Ended != cloud.EndedByUser || i.EndedAt.Before(r.restoredAt) {
			continue
		}
		reason, explained := why[i.ID]
		if !explained {
			r.t.Errorf("killed by mistake: %s of %s was ended at %s, and no decision says why", i.ID, k.Name, i.EndedAt.Format(time.TimeOnly))
		}
		if slices.Contains(r.day.Allow.Never, reason) {
			r.t.Errorf("killed by mistake: %s of %s was ended for the reason %q", i.ID, k.Name, reason)
		}
		count[reason]++
	}
	if most := k.decreases + r.day.Allow.Surplus; count["scaleIn"] > most {
		r.t.Errorf("doubled: %d instances of %s were ended as surplus, where scaling down explains %d", count["scaleIn"], k.Name, most)
	}
	if most := r.impaired + r.day.Allow.Unhealthy; count["unhealthy"] > most {
		r.t.Errorf("killed by mistake: %d instances of %s were ended as unhealthy, where %d were made so", count["unhealthy"], k.Name, most)
	}
	r.t.Logf("%s: ended by Neap: %v", k.Name, count)
}

// reasons is why each instance was to leave, by the group's decisions. The earliest reason is the one that counts.
func (r *rehearsal) reasons(k *kept) (map[string]string, error) {
	why := map[string]string{}
	for after := ""; ; {
		status, answer, err := r.ask(http.MethodGet, "/neap/v1/groups/"+k.id+"/decisions?limit=200&after="+after, nil)
		if err != nil || status != http.StatusOK {
			return nil, fmt.Errorf("%d %v %w", status, answer, err)
		}
		text, err := json.Marshal(answer)
		if err != nil {
			return nil, err
		}
		var page struct {
			Items []struct {
				DryRun bool `json:"dryRun"`
				Plan   struct {
					Actions []struct{ Verb, Instance, Reason string } `json:"actions"`
				} `json:"plan"`
			} `json:"items"`
			Next string `json:"next"`
		}
		if err := json.Unmarshal(text, &page); err != nil {
			return nil, err
		}
		for _, d := range page.Items { // newest first
			for _, a := range d.Plan.Actions {
				if !d.DryRun && a.Instance != "" {
					why[a.Instance] = a.Reason
				}
			}
		}
		if page.Next == "" {
			return why, nil
		}
		after = page.Next
	}
}

// judgeFloor: Neap itself never took the group below its on-demand floor once it had been reached.
func (r *rehearsal) judgeFloor(k *kept, record sim.Ledger) {
	for _, gone := range record.Instances {
		if gone.Tags["neap:owner"] != k.id || gone.Market.Lifecycle != cloud.OnDemand || gone.Ended != cloud.EndedByUser || gone.EndedAt.Before(k.settled) {
			continue
		}
		left := 0
		for _, i := range record.Instances {
			isThere := !i.LaunchedAt.After(gone.EndedAt) && (i.EndedAt.IsZero() || i.EndedAt.After(gone.EndedAt))
			if isThere && i.Tags["neap:owner"] == k.id && i.Market.Lifecycle == cloud.OnDemand {
				left++
			}
		}
		if floor := min(k.OnDemand, k.lowest); left < floor && r.impaired == 0 {
			r.t.Errorf("the floor was broken: %s was ended at %s with %d on-demand instances left of %d", gone.ID, gone.EndedAt.Format(time.TimeOnly), left, floor)
		}
	}
}

// judgePeak: apart from those on their way out, the group never had more instances than its maximum.
func (r *rehearsal) judgePeak(k *kept, record sim.Ledger) {
	const onItsWayOut = 10 * time.Minute
	for _, new := range record.Instances {
		if new.Tags["neap:owner"] != k.id {
			continue
		}
		staying := 0
		for _, i := range record.Instances {
			ended := !i.EndedAt.IsZero() && i.EndedAt.Before(new.LaunchedAt.Add(onItsWayOut))
			if i.Tags["neap:owner"] == k.id && !i.LaunchedAt.After(new.LaunchedAt) && !ended {
				staying++
			}
		}
		if staying > k.Maximum {
			r.t.Errorf("doubled: %s had %d instances to stay at %s, the maximum is %d", k.Name, staying, new.LaunchedAt.Format(time.TimeOnly), k.Maximum)
			return
		}
	}
}

// judgeUntouched: since the mark Neap has kept its hands off.
func (r *rehearsal) judgeUntouched() {
	r.t.Helper()
	if err := r.isUntouched(); err != nil {
		r.t.Error(err)
	}
}
