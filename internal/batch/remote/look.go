package remote

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/runtime"
)

const (
	idsAtOnce   = 100              // of one call: a site of so many tasks is looked at once a second, one of twice as many every other second
	readsALook  = 5                // outputs of running tasks that are read on in one look
	endsALook   = 25               // tasks whose output is read to its end in one look
	pagesAtOnce = 20               // of one such output
	lateOutput  = 3 * time.Second  // that output may come after its task's end
	mostPatient = 60 * time.Second // for output that does not end
)

// every is the number of tasks of a site that a look may describe when somebody waits for the answer.
const every = 1 << 30

// view is what the last looks showed of a task that lives. Safe for concurrent use.
type view struct {
	trail *trail

	mu      sync.Mutex
	seen    time.Time // when it was looked for last
	found   cloud.Job // as it was found last; its ID is "" before that
	missing time.Time // since when it is not found
	over    time.Time // when its end was seen first
	told    string    // what watchers know
}

func (v *view) job() cloud.Job {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.found
}

// overSince is when a job's end was seen first; one that never began has nothing to be waited for.
func (v *view) overSince() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.found.Output == "" {
		return time.Time{}
	}
	return v.over
}

// view is that of a task; a new one knows nothing.
func (r *Runtime) view(id string) *view {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.views[id]
	if v == nil {
		v = &view{trail: &trail{}}
		r.views[id] = v
	}
	return v
}

// look renews the views of tasks that live, as far as they are older than polling makes them, and closes the rows of those that are over. most limits how many
// tasks of a site are asked for. Sites are asked beside each other, so that one that hangs holds up no other.
func (r *Runtime) look(ctx context.Context, docs []doc, most int) error {
	var (
		wait   sync.WaitGroup
		mu     sync.Mutex
		failed []error
	)
	for at, docs := range bySite(docs) {
		wait.Go(func() {
			if err := r.lookAt(ctx, at, docs, most); err != nil {
				mu.Lock()
				failed = append(failed, err)
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return errors.Join(failed...)
}

func bySite(docs []doc) map[site][]doc {
	sites := map[site][]doc{}
	for _, d := range docs {
		sites[siteOf(d)] = append(sites[siteOf(d)], d)
	}
	return sites
}

func (r *Runtime) lookAt(ctx context.Context, at site, docs []doc, most int) error {
	leave, err := enter(ctx, r, r.sites, at)
	if err != nil {
		return err
	}
	defer leave()
	return r.lookInside(ctx, at, docs, most)
}

// lookInside is for whoever is within the site's gate.
func (r *Runtime) lookInside(ctx context.Context, at site, docs []doc, most int) error {
	queues, settle, err := r.queues(ctx, at.account)
	if err != nil {
		return err
	}
	l := &looking{Runtime: r, ctx: ctx, queues: queues, settle: settle, region: at.region, now: r.Clock.Now()}
	var put []doc
	for _, d := range docs {
		switch {
		case d.State == statePut:
			put = append(put, d)
		case d.State == stateAsked:
			if err := l.settleAsked(d); err != nil {
				return err
			}
		}
	}
	if err := l.describe(put, most); err != nil {
		return err
	}
	return l.follow(put)
}

// looking is one look at one site.
type looking struct {
	*Runtime
	ctx    context.Context
	queues cloud.JobQueues
	settle time.Duration
	region string
	now    time.Time
}

// settleAsked finds out what became of a submission whose answer is missing.
func (l *looking) settleAsked(d doc) error {
	v := l.view(d.ID)
	v.mu.Lock()
	isFresh := l.now.Sub(v.seen) < polled
	if !isFresh {
		v.seen = l.now
	}
	v.mu.Unlock()
	if isFresh || l.now.Sub(d.Value.Asked) < polled { // whoever submits it is just about to know
		return nil
	}
	is, err := l.find(l.ctx, l.queues, d)
	if err != nil || is || !absenceProves(d, l.now, l.settle) {
		return err
	}
	return l.close(d, neverPut(d, l.now), "")
}

// close ends a task for good, unless its row has changed since it was read.
func (l *looking) close(d doc, t *runtime.Task, output string) error {
	from := d.Version
	_, err := l.change(l.ctx, d.ID, func(d *doc) bool {
		if d.Version != from {
			return false
		}
		d.State, d.Value.Task, d.Value.Output = stateOver, t, output
		return true
	})
	if err == nil {
		l.ended(d.ID, l.view(d.ID))
	}
	return err
}

// due are the tasks to be asked for: those not seen for longest first.
func (l *looking) due(docs []doc, most int) (ids []string, byJob map[string]doc) {
	pause := polled * time.Duration((len(docs)+idsAtOnce-1)/idsAtOnce)
	seen := map[string]time.Time{}
	var old []doc
	for _, d := range docs {
		v := l.view(d.ID)
		v.mu.Lock()
		seen[d.ID] = v.seen
		v.mu.Unlock()
		if l.now.Sub(seen[d.ID]) >= pause {
			old = append(old, d)
		}
	}
	slices.SortStableFunc(old, func(a, b doc) int { return seen[a.ID].Compare(seen[b.ID]) })
	byJob = map[string]doc{}
	for _, d := range old[:min(len(old), most)] {
		ids = append(ids, d.Value.Job)
		byJob[d.Value.Job] = d
	}
	return ids, byJob
}

// describe asks how jobs stand.
func (l *looking) describe(docs []doc, most int) error {
	ids, byJob := l.due(docs, most)
	for part := range slices.Chunk(ids, idsAtOnce) {
		found, err := l.queues.Jobs(l.ctx, cloud.JobQuery{Region: l.region, IDs: part})
		if err != nil {
			return asked("look at tasks", err)
		}
		shown := map[string]cloud.Job{}
		for _, j := range found {
			shown[j.ID] = j
		}
		for _, id := range part {
			if err := l.see(byJob[id], shown[id]); err != nil {
				return err
			}
		}
	}
	return nil
}

// see takes in what the cloud says of one job; nothing, when j is empty. One absence proves nothing: a job is lost when it is missing for as long as the cloud needs
// to settle, in two looks at least.
func (l *looking) see(d doc, j cloud.Job) error {
	v := l.view(d.ID)
	v.mu.Lock()
	v.seen = l.now
	if j.ID == "" {
		since, last := v.missing, v.found
		if since.IsZero() {
			v.missing = l.now
		}
		v.mu.Unlock()
		if !since.IsZero() && l.now.Sub(since) > l.settle && absenceProves(d, l.now, l.settle) {
			return l.close(d, vanished(d, last, l.now), last.Output)
		}
		return nil
	}
	v.found, v.missing = j, time.Time{}
	if j.State == cloud.JobEnded && v.over.IsZero() {
		v.over = l.now
	}
	v.mu.Unlock()
	if isOverdue(d, j, l.now) {
		if err := l.queues.EndJob(l.ctx, l.region, j.ID, reasonTimedOut); err != nil {
			return asked("end task "+d.ID+" at its timeout", err)
		}
	}
	return nil
}

// follow reads on in what tasks write: in all of it when they have ended, and of the others in a few, first those that were not read for longest.
func (l *looking) follow(docs []doc) error {
	var running []doc
	finished := 0
	for _, d := range docs {
		v := l.view(d.ID)
		j := v.job()
		if j.State == cloud.JobEnded && l.now.Sub(v.overSince()) >= lateOutput && finished < endsALook {
			finished++
			if err := l.finish(d, v, j); err != nil {
				return err
			}
			continue
		}
		if j.State == cloud.JobRunning && j.Output != "" && l.now.Sub(v.trail.lastRead()) >= polled {
			running = append(running, d)
		}
		l.notice(d, v)
	}
	slices.SortStableFunc(running, func(a, b doc) int { return l.view(a.ID).trail.lastRead().Compare(l.view(b.ID).trail.lastRead()) })
	for _, d := range running[:min(len(running), readsALook)] {
		v := l.view(d.ID)
		if _, _, err := l.page(l.ctx, l.queues, l.region, v.job().Output, v.trail, v.trail.end(), eventsAPage); err != nil {
			return asked("read what task "+d.ID+" writes", err)
		}
		l.notice(d, v)
	}
	return nil
}

// finish closes the row of a task that has ended, once all that it wrote is there.
func (l *looking) finish(d doc, v *view, j cloud.Job) error {
	isRead := j.Output == ""
	for n := 0; !isRead && n < pagesAtOnce; n++ {
		from := v.trail.end()
		_, next, err := l.page(l.ctx, l.queues, l.region, j.Output, v.trail, from, mostEvents)
		if err != nil {
			return asked("read what task "+d.ID+" wrote", err)
		}
		isRead = next.cursor == from.cursor
	}
	if !isRead && l.now.Sub(v.overSince()) < mostPatient {
		return nil
	}
	t := taskOf(d, j, v.trail.end().before, true)
	return l.close(d, &t, j.Output)
}

// notice tells of a task that runs now, or has written more.
func (r *Runtime) notice(d doc, v *view) {
	v.mu.Lock()
	t := taskOf(d, v.found, v.trail.end().before, false)
	now := string(t.State)
	if t.Lines > 0 {
		now += " " + time.Duration(t.Lines).String()
	}
	isNews := v.found.ID != "" && t.State != runtime.Starting && now != v.told
	v.told = now
	v.mu.Unlock()
	if isNews {
		r.tell(d.ID)
	}
}

// Tasks is runtime.Runtime's. A task is told as its job was seen last: as long ago as Info().Polled, or a second for every hundred tasks of its account and region.
func (r *Runtime) Tasks(ctx context.Context, ids []string) ([]runtime.Task, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	docs, err := r.known(ctx, ids)
	if err != nil {
		return nil, err
	}
	living := slices.DeleteFunc(slices.Clone(docs), func(d doc) bool { return d.State == stateOver })
	if len(living) > 0 {
		failed := r.look(ctx, living, every)
		if docs, err = r.known(ctx, ids); err != nil {
			return nil, err
		}
		for _, d := range docs {
			if d.State == statePut && r.view(d.ID).job().ID == "" && failed != nil {
				return nil, failed // nothing is known of it yet
			}
		}
	}
	tasks := make([]runtime.Task, 0, len(docs))
	for _, d := range docs {
		tasks = append(tasks, r.taskOf(d))
	}
	return tasks, nil
}

const idsAStatement = 500

// known are the rows of tasks.
func (r *Runtime) known(ctx context.Context, ids []string) (docs []doc, err error) {
	for part := range slices.Chunk(ids, idsAStatement) {
		some, err := r.list(ctx, part)
		if err != nil {
			return nil, err
		}
		docs = append(docs, some...)
	}
	return docs, nil
}

func (r *Runtime) taskOf(d doc) runtime.Task {
	switch {
	case d.State == stateOver:
		return *d.Value.Task
	case d.State == stateAsked:
		return waiting(d)
	}
	v := r.view(d.ID)
	j := v.job()
	if j.ID == "" {
		return waiting(d)
	}
	return taskOf(d, j, v.trail.end().before, false)
}

// ended tells once that a task is over.
func (r *Runtime) ended(id string, v *view) {
	v.mu.Lock()
	isNews := v.told != stateOver
	v.told = stateOver
	v.mu.Unlock()
	if isNews {
		r.tell(id)
	}
}

// prune tells of tasks whose end another replica has seen, and forgets those that nobody reads any more.
func (r *Runtime) prune(living []doc) {
	lives := map[string]bool{}
	for _, d := range living {
		lives[d.ID] = true
	}
	now := r.Clock.Now()
	gone := map[string]*view{}
	r.mu.Lock()
	for id, v := range r.views {
		if lives[id] {
			continue
		}
		gone[id] = v
		if now.Sub(v.trail.lastRead()) > idle {
			delete(r.views, id)
		}
	}
	r.mu.Unlock()
	for id, v := range gone {
		r.ended(id, v)
	}
}
