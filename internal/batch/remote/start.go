package remote

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

// usualMemory is what a task gets that asks for none: AWS Batch wants a figure.
const usualMemory = 2048

// Start is runtime.Runtime's. An error that is no refusal may leave a task that is Starting: then either Start finds out, or Tasks calls it Lost in the end.
func (r *Runtime) Start(ctx context.Context, spec runtime.Spec) error {
	if err := checkForm(spec); err != nil {
		return err
	}
	leave, err := enter(ctx, r, r.starts, spec.ID)
	if err != nil {
		return err
	}
	defer leave()
	queues, settle, err := r.queues(ctx, spec.Place.Account)
	if err != nil {
		return err
	}
	now := r.Clock.Now()
	d, is, err := r.read(ctx, spec.ID)
	switch {
	case err != nil:
		return err
	case !is:
		d, err = rows.Insert(ctx, r.DB, doc{
			Meta:  store.Meta{ID: spec.ID, Account: spec.Place.Account, Name: spec.Place.Region, State: stateAsked, At: now},
			Value: row{Region: spec.Place.Region, Queue: spec.Place.Queue, Asked: now, Timeout: spec.Timeout},
		})
		if fault.Is(err, fault.Exists) {
			return fmt.Errorf("start task %s: another replica starts it just now", spec.ID)
		}
	case d.State != stateAsked || d.Value.Stop:
		return nil
	default:
		if is, err := r.find(ctx, queues, d); is || err != nil {
			return err
		}
		if !absenceProves(d, now, settle) {
			return fmt.Errorf("start task %s: whether AWS Batch has it already will be known %s after the answer was lost", spec.ID, submitWithin+settle)
		}
		d.Value.Asked = now
		d, err = rows.Update(ctx, r.DB, d) // whoever closes the row meanwhile wins
	}
	if err != nil {
		return err
	}
	return r.submit(ctx, queues, spec, d)
}

// absenceProves says that the last attempt would have been seen by now, if it had arrived.
func absenceProves(d doc, now time.Time, settle time.Duration) bool {
	return now.Sub(d.Value.Asked) > submitWithin+settle
}

// submit makes the one call that begins something; the row of it is there.
func (r *Runtime) submit(ctx context.Context, queues cloud.JobQueues, spec runtime.Spec, d doc) error {
	limited, cancel := context.WithTimeout(ctx, submitWithin)
	defer cancel()
	job, err := queues.SubmitJob(limited, spec.Place.Region, r.jobOf(spec))
	if refusal, is := errors.AsType[*cloud.Refusal](err); is {
		if err := rows.Delete(context.WithoutCancel(ctx), r.DB, store.Account(d.Account), d.ID); err != nil {
			return err
		}
		return asked("submit task "+spec.ID, refusal)
	}
	r.wake()
	if err != nil {
		if is, failed := r.find(ctx, queues, d); is || failed != nil {
			return failed
		}
		return asked("submit task "+spec.ID, err)
	}
	return r.put(ctx, queues, d, job)
}

// put notes which job a task is. A job that comes too late, or that somebody has stopped meanwhile, ends.
func (r *Runtime) put(ctx context.Context, queues cloud.JobQueues, asked doc, job string) error {
	ctx = context.WithoutCancel(ctx) // the job is there: that its caller gave up is no reason to look for it again
	d, err := r.change(ctx, asked.ID, func(d *doc) bool {
		if d.State != stateAsked {
			return false
		}
		d.State, d.Value.Job = statePut, job
		return true
	})
	if err != nil || d.Value.Job == job && !d.Value.Stop {
		return err
	}
	if err := queues.EndJob(ctx, asked.Value.Region, job, reasonStopped); err != nil {
		return fmt.Errorf("stop task %s: %w", asked.ID, err)
	}
	return nil
}

// find looks for the job of a task that the cloud was asked for. Were there several, the oldest would be it, and the others end.
func (r *Runtime) find(ctx context.Context, queues cloud.JobQueues, d doc) (is bool, err error) {
	found, err := queues.Jobs(ctx, cloud.JobQuery{Region: d.Value.Region, Queue: d.Value.Queue, Token: d.ID})
	if refusal, refuses := errors.AsType[*cloud.Refusal](err); refuses && refusal.Kind == cloud.BadRequest {
		return false, nil // there is no such queue, so no job is in it
	}
	if err != nil || len(found) == 0 {
		return false, err
	}
	for _, second := range found[1:] {
		if err := queues.EndJob(ctx, d.Value.Region, second.ID, "The same task was submitted before."); err != nil {
			return false, err
		}
	}
	return true, r.put(ctx, queues, d, found[0].ID)
}

// The tags of a job.
const (
	tagInstallation = "neap:installation"
	tagTask         = "neap:task"
	tagAccount      = "neap:account"
)

func (r *Runtime) jobOf(spec runtime.Spec) cloud.JobSpec {
	tags := map[string]string{}
	for name, value := range spec.Labels {
		tags[tagged(name)] = tagged(value)
	}
	tags[tagInstallation], tags[tagTask], tags[tagAccount] = r.Installation, spec.ID, spec.Place.Account
	memory := spec.Resources.MemoryMiB
	if memory == 0 {
		memory = usualMemory
	}
	return cloud.JobSpec{
		Token: spec.ID, Queue: spec.Place.Queue, Image: spec.Image, Command: spec.Command, Env: spec.Env,
		MilliCPU: spec.Resources.MilliCPU, MemoryMiB: memory, GPUs: spec.Resources.GPUs, Timeout: spec.Timeout, Tags: tags,
	}
}

const longestTag = 128 // that AWS takes as a key; values may be longer

// tagged is a text as AWS takes it in tags.
func tagged(text string) string {
	text = strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune(" +-=._:/@", c) {
			return c
		}
		return '_'
	}, text)
	if runes := []rune(text); len(runes) > longestTag {
		text = string(runes[:longestTag])
	}
	return text
}

// Stop is runtime.Runtime's. The grace is AWS Batch's own: 30 s from TERM to KILL, whatever is asked for.
func (r *Runtime) Stop(ctx context.Context, id string, _ time.Duration) error {
	d, err := r.change(ctx, id, func(d *doc) bool {
		if d.State != stateAsked || d.Value.Stop {
			return false
		}
		d.Value.Stop = true
		return true
	})
	if err != nil || d.ID == "" || d.State == stateOver {
		return err
	}
	queues, _, err := r.queues(ctx, d.Account)
	if err != nil {
		return err
	}
	if d.State == stateAsked { // else whoever finds it ends it
		_, err = r.find(ctx, queues, d)
		return err
	}
	if err := queues.EndJob(ctx, d.Value.Region, d.Value.Job, reasonStopped); err != nil {
		return asked("stop task "+id, err)
	}
	return nil
}

// Forget is runtime.Runtime's. The cloud forgets by itself, after a week or more.
func (r *Runtime) Forget(ctx context.Context, id string, _ string) error {
	d, is, err := r.read(ctx, id)
	if err != nil || !is || d.State != stateOver {
		return err
	}
	r.mu.Lock()
	delete(r.views, id)
	r.mu.Unlock()
	if err = rows.Delete(ctx, r.DB, store.Account(d.Account), id); fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}
