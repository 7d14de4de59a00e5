package disasters

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim"
	"github.com/neap-cloud/neap/internal/fault"
)

// stage is what an act can do, by its name.
func stage() map[string]func(*rehearsal, act) error {
	return map[string]func(*rehearsal, act) error{
		"settle":    func(r *rehearsal, _ act) error { return r.settle(patience) },                                    // wait until every group is as wished
		"wait":      func(_ *rehearsal, a act) error { <-time.After(time.Duration(a.For)); return nil },               // let time pass
		"order":     (*rehearsal).order,                                                                               // trouble in the cloud, for a while
		"pardon":    func(r *rehearsal, _ act) error { return r.world.Pardon(context.Background()) },                  // end of all troubles
		"create":    (*rehearsal).createLater,                                                                         // a group marked "later"
		"resize":    (*rehearsal).resize,                                                                              // a group to count
		"delete":    (*rehearsal).delete,                                                                              // a group
		"take":      (*rehearsal).take,                                                                                // the cloud interrupts count spot instances of a group, with notice
		"fail":      (*rehearsal).fail,                                                                                // count instances of a group die without notice
		"impair":    (*rehearsal).impair,                                                                              // count instances of a group fail the cloud's check
		"kill":      func(r *rehearsal, a act) error { r.processes[a.Replica].kill(); return nil },                    // a process, without warning
		"stop":      func(r *rehearsal, a act) error { return r.processes[a.Replica].stop() },                         // a process, gracefully
		"start":     func(r *rehearsal, a act) error { return r.start(a.Replica, a.Build) },                           // a process
		"freeze":    (*rehearsal).freeze,                                                                              // a process is cut off from everything, for a while
		"down":      func(r *rehearsal, _ act) error { return r.server.down() },                                       // the database server
		"up":        func(r *rehearsal, _ act) error { return r.serverUp() },                                          // the database server
		"skew":      func(r *rehearsal, a act) error { return r.skew(time.Duration(a.For)) },                          // the engine's clock, against the true time
		"keep":      func(r *rehearsal, _ act) error { return r.copyDatabase(r.processes[0].folder, r.path("kept")) }, // a copy of the database
		"restore":   (*rehearsal).restore,                                                                             // the kept copy, while the process is stopped
		"copy":      func(r *rehearsal, a act) error { return r.copyData(a.Replica) },                                 // the data folder, for another process
		"fill":      func(r *rehearsal, _ act) error { return r.fillDisk() },                                          // the disk, to the last byte
		"free":      func(r *rehearsal, _ act) error { return r.freeDisk() },                                          // the disk
		"mark":      (*rehearsal).setMark,                                                                             // from here on
		"idle":      func(r *rehearsal, _ act) error { return r.isUntouched() },                                       // nothing was launched or ended since the mark
		"refused":   (*rehearsal).fewRefused,                                                                          // at most count launches were refused since the mark
		"dear":      (*rehearsal).fewOnDemand,                                                                         // at most count on-demand instances live in the group
		"await":     func(r *rehearsal, a act) error { return r.await(a) },                                            // until one group is as wished
		"moved":     (*rehearsal).fewMoved,                                                                            // at most count instances were ended since the mark for another reason than an interruption
		"try":       (*rehearsal).try,                                                                                 // to start a process, which may refuse; it is killed again
		"elsewhere": (*rehearsal).elsewhere,                                                                           // another installation keeps a group of count
		"says":      (*rehearsal).says,                                                                                // a log, an alert or a process says it
	}
}

func (r *rehearsal) act(a act) error {
	do, ok := stage()[a.Do]
	if !ok {
		return fmt.Errorf("there is no act %q", a.Do)
	}
	return do(r, a)
}

func (r *rehearsal) order(a act) error {
	trouble := *a.Trouble
	if trouble.Region == "" {
		trouble.Region = "us-east-1"
	}
	trouble.From = time.Now()
	trouble.Until = trouble.From.Add(time.Duration(a.For))
	return r.world.Order(context.Background(), trouble)
}

func (r *rehearsal) createLater(a act) error {
	for _, g := range r.day.Groups {
		if g.Name == a.Group {
			return r.create(g)
		}
	}
	return fmt.Errorf("there is no group %q", a.Group)
}

func (r *rehearsal) resize(a act) error {
	k := r.groups[a.Group]
	if _, err := r.items(http.MethodPut, "/aws/ec2/group/"+k.id+"/capacity", map[string]any{"capacity": map[string]any{"target": a.Count}}); err != nil {
		return err
	}
	k.decreases += max(0, k.target-a.Count)
	k.target, k.lowest = a.Count, min(k.lowest, a.Count)
	return nil
}

func (r *rehearsal) delete(a act) error {
	k := r.groups[a.Group]
	k.deleted = r.time.Now().Add(-time.Minute) // before the request: what follows from it may be quicker than its answer
	status, answer, err := r.ask(http.MethodDelete, "/aws/ec2/group/"+k.id, nil)
	if err == nil && status != http.StatusOK && !strings.Contains(fmt.Sprint(answer), "DOESNT_EXIST") {
		err = fmt.Errorf("%d %v", status, answer)
	}
	return err
}

// alive lists the living instances of a group by the cloud's own record, newest first.
func (r *rehearsal) alive(k *kept) ([]sim.Record, error) {
	record, err := r.world.Ledger(context.Background())
	if err != nil {
		return nil, err
	}
	var alive []sim.Record
	for _, i := range slices.Backward(record.Instances) {
		if i.Alive && i.Tags["neap:owner"] == k.id {
			alive = append(alive, i)
		}
	}
	return alive, nil
}

func (r *rehearsal) some(a act, lifecycle cloud.Lifecycle) (ids []string, err error) {
	alive, err := r.alive(r.groups[a.Group])
	for _, i := range alive {
		if len(ids) < max(1, a.Count) && (lifecycle == "" || i.Market.Lifecycle == lifecycle) {
			ids = append(ids, i.ID)
		}
	}
	return ids, err
}

func (r *rehearsal) take(a act) error {
	ids, err := r.some(a, cloud.Spot)
	if err != nil || len(ids) == 0 {
		return err
	}
	for _, id := range ids {
		// One that has just ended can't be interrupted; the others can.
		err := r.world.Account(r.owner).Interrupt(context.Background(), r.groups[a.Group].Region, []string{id})
		var refusal *cloud.Refusal
		if err != nil && !errors.As(err, &refusal) && !fault.Is(err, fault.Unavailable) { // the cloud may be in trouble itself
			return err
		}
	}
	return nil
}

func (r *rehearsal) fail(a act) error {
	return r.strike(a, &r.failed, r.world.Kill)
}

func (r *rehearsal) impair(a act) error {
	return r.strike(a, &r.impaired, r.world.Impair)
}

// strike does something to some instances at once, and counts them. Should one of them have just ended, it chooses again.
func (r *rehearsal) strike(a act, count *int, do func(ctx context.Context, ids ...string) error) error {
	for {
		ids, err := r.some(a, "")
		if err != nil || len(ids) == 0 {
			return err
		}
		var refusal *cloud.Refusal
		if err := do(context.Background(), ids...); !errors.As(err, &refusal) {
			*count += len(ids)
			return err
		}
	}
}

func (r *rehearsal) serverUp() error {
	if r.server.control("status") == nil {
		return nil
	}
	return r.server.up()
}

// skew sets the engine's clock wrong in all processes at once.
func (r *rehearsal) skew(by time.Duration) error {
	next := r.path("skew.next")
	if err := os.WriteFile(next, []byte(by.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(next, r.path("skew"))
}

// copyDatabase copies neap.db as somebody would who knows no better than to copy the files of a stopped Neap.
func (r *rehearsal) copyDatabase(from, to string) error {
	found, err := filepath.Glob(filepath.Join(from, "neap.db*"))
	if err != nil || len(found) == 0 {
		return errors.Join(err, fmt.Errorf("%d files of a database in %s", len(found), from))
	}
	for _, name := range found {
		if err := copyFile(name, filepath.Join(to, filepath.Base(name))); err != nil {
			return err
		}
	}
	return nil
}

func (r *rehearsal) restore(act) error {
	folder := r.processes[0].folder
	if r.processes[0].isRunning() {
		return errors.New("the process runs")
	}
	present, err := filepath.Glob(filepath.Join(folder, "neap.db*"))
	if err != nil {
		return err
	}
	for _, name := range present {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return r.copyDatabase(r.path("kept"), folder)
}

func (r *rehearsal) copyData(n int) error {
	from, to := r.processes[0].folder, r.processes[n].folder
	for _, name := range []string{"server.key", "admin-token", "demo-account"} {
		if err := copyFile(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return r.copyDatabase(from, to)
}

// fillDisk writes until nothing fits any more, not even a small record.
func (r *rehearsal) fillDisk() error {
	ballast, err := os.Create(filepath.Join(r.disk, "ballast"))
	if err != nil {
		return err
	}
	defer ballast.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		block := make([]byte, size)
		for err == nil {
			_, err = ballast.Write(block)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return err
		}
		err = nil
	}
	return nil
}

func (r *rehearsal) freeDisk() error {
	if r.disk == "" {
		return nil
	}
	if err := os.Remove(filepath.Join(r.disk, "ballast")); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (r *rehearsal) setMark(act) error {
	record, err := r.world.Ledger(context.Background())
	r.mark, r.sinceMark = r.time.Now(), len(record.Calls)
	return err
}

// calls are those that the cloud recorded since the mark.
func (r *rehearsal) calls() ([]sim.CallRecord, error) {
	record, err := r.world.Ledger(context.Background())
	if err != nil {
		return nil, err
	}
	return record.Calls[r.sinceMark:], nil
}

func (r *rehearsal) isUntouched() error {
	calls, err := r.calls()
	for _, c := range calls {
		if c.Call == sim.LaunchCall || c.Call == sim.TerminateCall {
			return fmt.Errorf("%s %s %s was called: %s (%s)", c.At.Format(time.TimeOnly), c.Region, c.Call, c.Detail, c.Outcome)
		}
	}
	return err
}

func (r *rehearsal) fewRefused(a act) error {
	calls, err := r.calls()
	refused := map[string]int{}
	for _, c := range calls {
		if c.Call == sim.LaunchCall && c.Outcome != "ok" {
			refused[c.Outcome]++
		}
	}
	total := 0
	for _, n := range refused {
		total += n
	}
	if total > a.Count {
		return fmt.Errorf("%d launches were refused, at most %d make sense: %v", total, a.Count, refused)
	}
	r.t.Logf("refused launches: %d of at most %d: %v", total, a.Count, refused)
	return err
}

func (r *rehearsal) fewOnDemand(a act) error {
	alive, err := r.alive(r.groups[a.Group])
	dear := 0
	for _, i := range alive {
		if i.Market.Lifecycle == cloud.OnDemand {
			dear++
		}
	}
	if dear > a.Count {
		return fmt.Errorf("%d instances of %s run on demand, at most %d may", dear, a.Group, a.Count)
	}
	return err
}

// says waits until a group's log, an alert, or what a process prints matches.
func (r *rehearsal) says(a act) error {
	pattern, err := regexp.Compile(a.Says)
	if err != nil {
		return err
	}
	return r.until("something says "+strconv.Quote(a.Says), 20*time.Second, func() (string, error) {
		told, err := r.told()
		if err != nil || pattern.MatchString(told) {
			return "", err
		}
		return "nothing does; the end of what is said:\n" + tail(told, 1500), nil
	})
}

// told is everything that Neap says to people: its status with the alerts, the groups' logs, and what the processes print.
func (r *rehearsal) told() (string, error) {
	var told strings.Builder
	for n, p := range r.processes {
		told.WriteString(p.output.String())
		if !p.isRunning() {
			continue
		}
		var paths []string
		for _, k := range r.groups {
			if k.deleted.IsZero() {
				paths = append(paths, fmt.Sprintf("/aws/ec2/group/%s/logs?limit=1000&fromDate=%d", k.id, r.time.Origin.Add(-48*time.Hour).UnixMilli()))
			}
		}
		for _, path := range append(paths, "/neap/v1/status", "/neap/v1/alerts") {
			status, answer, err := p.call(http.MethodGet, path, nil)
			if err != nil || status != http.StatusOK {
				continue // it may be cut off, or have no such thing
			}
			text, err := json.Marshal(answer)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&told, "\nprocess %d: %s: %s", n, path, text)
		}
	}
	return told.String(), nil
}

// await waits for one group only, in the time given.
func (r *rehearsal) await(a act) error {
	k := r.groups[a.Group]
	return r.until(a.Group+" is as it was wished", time.Duration(a.For), func() (string, error) {
		record, err := r.world.Ledger(context.Background())
		if err != nil {
			return "", err
		}
		return r.isKept(k, record)
	})
}

func (r *rehearsal) fewMoved(a act) error {
	record, err := r.world.Ledger(context.Background())
	if err != nil {
		return err
	}
	moved := map[string]int{}
	total := 0
	for _, k := range r.groups {
		why, err := r.reasons(k)
		if err != nil {
			return err
		}
		for _, i := range record.Instances {
			reason := why[i.ID]
			if i.Tags["neap:owner"] == k.id && i.EndedAt.After(r.mark) && i.Ended == cloud.EndedByUser && reason != "interruption" && reason != "rebalance" {
				moved[reason]++
				total++
			}
		}
	}
	if total > a.Count {
		return fmt.Errorf("%d instances were ended, at most %d may: %v", total, a.Count, moved)
	}
	return nil
}

// try starts a process that may refuse to run under the circumstances, as long as it does so by itself and says why.
func (r *rehearsal) try(a act) error {
	p := r.processes[a.Replica]
	if err := p.launch(r.binaries[""], r.env, r.args...); err != nil {
		return err
	}
	defer p.kill()
	return r.until("the process serves or refuses", 15*time.Second, func() (string, error) {
		if err := p.died(); err != nil {
			r.t.Logf("it refused to start (%v): %s", err, tail(p.output.String(), 400))
			return "", nil
		}
		if p.isReady() {
			r.t.Log("it serves")
			return "", nil
		}
		return "neither", nil
	})
}

// elsewhere makes a group in another installation, unless there is one, and waits until all of its instances live.
func (r *rehearsal) elsewhere(a act) error {
	p := r.processes[a.Replica]
	g := group{Name: "other", Target: a.Count}
	d := day{Groups: []group{g}}
	d.complete()
	if r.other == "" {
		status, answer, err := p.call(http.MethodPost, "/aws/ec2/group", d.Groups[0].document())
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("%d %v %w", status, answer, err)
		}
		r.other, _ = itemsOf(answer)[0]["id"].(string)
	}
	return r.until("the other installation's group is kept", patience, func() (string, error) {
		alive, err := r.alive(&kept{id: r.other})
		if len(alive) == a.Count {
			return "", err
		}
		return fmt.Sprintf("%d of %d live", len(alive), a.Count), err
	})
}

// freeze stops a process in the middle of whatever it does. It comes back by itself, because others, the driver too, may wait for a lock that it holds.
func (r *rehearsal) freeze(a act) error {
	p := r.processes[a.Replica]
	if !p.isRunning() {
		return nil
	}
	frozen := p.command.Process
	time.AfterFunc(time.Duration(a.For), func() { _ = frozen.Signal(syscall.SIGCONT) }) // it may have been killed meanwhile
	return frozen.Signal(syscall.SIGSTOP)
}
