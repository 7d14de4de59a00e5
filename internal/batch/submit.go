package batch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

// The usual resources of a container job.
const (
	usualMilliCPU  = 1000
	usualMemoryMiB = 2048
)

// The clouds that a job can name.
const (
	cloudAWS   = "aws"
	cloudAzure = "azure"
)

// Submit checks and places a job; key makes it idempotent ("" = it is not): the same key with the same submission gives the job that the first call made, with
// another one fault.Conflict. fault.Invalid when it is malformed. What is well-formed and can never be placed becomes a job in the state Rejected.
func (b *Batch) Submit(ctx context.Context, account, author string, s Submission, key string) (Job, error) {
	return b.submit(ctx, account, author, s, key, "")
}

// Retry submits a finished job again, as a new one; fault.Conflict when it is not finished.
func (b *Batch) Retry(ctx context.Context, account, author, id, key string) (Job, error) {
	d, err := jobs.Get(ctx, b.c.DB, store.Account(account), id)
	if err != nil {
		return Job{}, err
	}
	if !d.Value.State.Final() {
		return Job{}, fault.Of(fault.Conflict, "state", "Job %s is %s; only a job in a final state can be run again.", id, d.Value.State)
	}
	s, err := b.opened(d)
	if err != nil {
		return Job{}, err
	}
	if !s.Deadline.IsZero() { // as much time as the first had
		s.Deadline = b.c.Clock.Now().Add(s.Deadline.Sub(d.Value.SubmittedAt))
	}
	if key != "" {
		key = "retry " + id + " " + key
	}
	return b.submit(ctx, account, author, s, key, id)
}

func (b *Batch) submit(ctx context.Context, account, author string, s Submission, key, of string) (Job, error) {
	s = s.usual()
	now := b.c.Clock.Now().UTC()
	if err := s.check(now); err != nil {
		return Job{}, err
	}
	l, why, err := b.place(ctx, account, s)
	if err != nil {
		return Job{}, err
	}
	id, print := ident.UUID(), ""
	if key != "" {
		if id, print, err = named(account, author, key, s); err != nil {
			return Job{}, err
		}
	}
	m := move{doc: document{
		Meta:  store.Meta{ID: id, Account: account, Parent: l.parent(), Name: s.Customer, At: now},
		Value: record{Job: Job{Submission: s, Lane: l.Lane, Author: author, RetryOf: of, State: Submitted, SubmittedAt: now}, Timed: l.timed, Print: print},
	}}
	if m.doc.Value.Sealed, err = b.sealed(id, s); err != nil {
		return Job{}, err
	}
	switch {
	case why != "":
		err = m.to(Rejected, now, why)
	case m.doc.Value.isTimed():
		err = m.to(Pending, now, "Its deadline leaves time: it is being decided what to run it on.")
		m.doc.Value.Until = now
	default:
		err = m.to(Runnable, now, "")
	}
	if err != nil {
		return Job{}, err
	}
	return b.insert(ctx, m, l, key != "")
}

// insert stores a new job. One that came with a key may be there already.
func (b *Batch) insert(ctx context.Context, m move, l line, keyed bool) (Job, error) {
	stored := m.doc
	call := op.CallOf(ctx)
	err := b.c.DB.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		d, err := jobs.Insert(ctx, tx, m.doc)
		if keyed && fault.Is(err, fault.Exists) {
			stored, err = jobs.Get(ctx, tx, store.Account(m.doc.Account), m.doc.ID)
			if err == nil && stored.Value.Print != m.doc.Value.Print {
				err = fault.Of(fault.Conflict, "key", "This Idempotency-Key came before, with another job; use a new key for each job.")
			}
			call.Object = stored.ID
			return err
		}
		if err != nil {
			return err
		}
		stored, call.Object = d, d.ID
		if err := history.Append(ctx, tx, m.lines...); err != nil {
			return err
		}
		switch d.State {
		case waiting:
			tx.AfterCommit(func() { b.desk.joined(l) })
		case held:
			tx.AfterCommit(func() { b.desk.hold(d.ID, d.Value.Until) })
		}
		return nil
	})
	return job(stored), err
}

// named makes the id of a job out of the key that it came with, and a fingerprint of what was asked for.
func named(account, author, key string, s Submission) (id, print string, err error) {
	text, err := json.Marshal(struct {
		Submission
		Env      map[string]string
		UserData []byte
	}{s, s.Env, []byte(s.UserData)})
	if err != nil {
		return "", "", fault.As(err)
	}
	sum := sha256.Sum256([]byte(account + "\x00" + author + "\x00" + key))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // version 8 of RFC 9562: made by a rule of one's own
	of := sha256.Sum256(text)
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]), hex.EncodeToString(of[:16]), nil
}

// usual fills in what was not asked for.
func (s Submission) usual() Submission {
	if s.Priority == "" {
		s.Priority = Low
	}
	if s.Kind() == KindContainer {
		if s.Resources.MilliCPU == 0 {
			s.Resources.MilliCPU = usualMilliCPU
		}
		if s.Resources.MemoryMiB == 0 {
			s.Resources.MemoryMiB = usualMemoryMiB
		}
	}
	return s
}

// check finds what is malformed, whoever the caller's dialect is.
func (s Submission) check(now time.Time) error {
	var faults []*fault.Error
	wrong := func(path, format string, args ...any) { faults = append(faults, fault.Field(path, format, args...)) }
	switch {
	case s.Image == "" && s.AMI == "", s.Image != "" && s.AMI != "":
		wrong("image", "Give either image or ami.")
	case s.AMI != "" && len(s.Command) > 0:
		wrong("command", "A command belongs to an image; give an ami its user_data.")
	case s.Image != "" && s.UserData != "":
		wrong("user_data", "User data belong to an ami; give an image its command.")
	}
	if s.Customer == "" {
		wrong("customer", "Say which customer the job is for.")
	}
	if s.Cloud != cloudAWS && s.Cloud != cloudAzure {
		wrong("cloud", "The cloud is aws or azure, not %q.", s.Cloud)
	}
	if s.Resources.MilliCPU < 0 || s.Resources.MemoryMiB < 0 || s.Resources.GPUs < 0 {
		wrong("resources", "Resources are not negative.")
	}
	if s.Priority != High && s.Priority != Low {
		wrong("priority", "The priority is HIGH or LOW, not %q.", s.Priority)
	}
	if s.Timeout < 0 {
		wrong("timeout", "A timeout is a number of seconds, or 0 for none.")
	}
	if !s.Deadline.IsZero() {
		switch {
		case s.Expected <= 0:
			wrong("expected", "A job with a deadline says in expected how many seconds its work takes.")
		case !s.Deadline.After(now):
			wrong("deadline", "The deadline %s has passed.", s.Deadline.UTC().Format(time.RFC3339))
		}
	}
	return fault.All(faults)
}

// place finds the line in which a job is to wait; why says, in a sentence, that there is none for it.
func (b *Batch) place(ctx context.Context, account string, s Submission) (l line, why string, err error) {
	l = line{Lane: capacity.Lane{Account: account, Cloud: s.Cloud, Region: s.Region, Queue: s.Queue}, low: s.Priority == Low, customer: s.Customer}
	isSimulated, err := b.c.Simulated(ctx, account)
	if err != nil {
		return l, "", err
	}
	switch {
	case s.Kind() == KindInstance:
		l.how, l.Queue = single, "instances"
		if s.Cloud != cloudAWS {
			return l, "An ami is a machine image of aws; on " + s.Cloud + " there are container jobs only.", nil
		}
	case isSimulated:
		l.how = hosted
		if l.Queue == "" {
			l.Queue, l.timed = usualQueue(s.Priority), !s.Deadline.IsZero()
		}
	default:
		l.how = remote
		if l.Queue == "" {
			l.Queue = b.c.RemoteQueues[s.Priority]
		}
		if s.Cloud != cloudAWS || b.c.Remote == nil {
			return l, "There is nothing in the cloud " + s.Cloud + " of this account that runs containers.", nil
		}
	}
	why, err = b.unfit(ctx, l, s)
	return l, why, err
}

// usualQueue is where a job goes that names no queue.
func usualQueue(p Priority) string {
	if p == High {
		return capacity.OnDemandQueue
	}
	return capacity.SpotQueue
}

// unfit says why a line could never run a job; "" when it could.
func (b *Batch) unfit(ctx context.Context, l line, s Submission) (string, error) {
	if l.how == hosted {
		if why, err := refusal(b.c.Capacity.Fits(ctx, l.Lane, s.Resources)); why != "" || err != nil {
			return why, err
		}
	}
	_, why, err := b.choose(ctx, l, specOf(l, s, "check"))
	return why, err
}

// choose finds the first runtime that would take a task; else why none does.
func (b *Batch) choose(ctx context.Context, l line, spec runtime.Spec) (rt runtime.Runtime, why string, err error) {
	for _, rt := range b.runtimes(l.how) {
		refused, err := refusal(rt.Check(ctx, spec))
		if err != nil || refused == "" {
			return rt, "", err
		}
		if why != "" {
			why += " "
		}
		why += refused
	}
	if why == "" {
		why = "There is nothing here that runs such jobs."
	}
	return nil, why, nil
}

// refusal takes the sentence out of a refusal; any other error stays one.
func refusal(err error) (string, error) {
	var refused *runtime.Refusal
	if errors.As(err, &refused) {
		return refused.Message, nil
	}
	return "", err
}

// runtimes are those that run the tasks of such lines, the preferred ones first.
func (b *Batch) runtimes(how string) []runtime.Runtime {
	switch {
	case how == hosted:
		return b.c.Hosted
	case how == remote && b.c.Remote != nil:
		return []runtime.Runtime{b.c.Remote}
	case how == single && b.c.Instances != nil:
		return []runtime.Runtime{b.c.Instances}
	}
	return nil
}

// secret is what of a submission is kept sealed.
type secret struct {
	Env      map[string]string `json:"env,omitempty"`
	UserData []byte            `json:"userData,omitempty"` // not a string: JSON would damage what is no text
}

func (b *Batch) sealed(id string, s Submission) ([]byte, error) {
	if len(s.Env) == 0 && s.UserData == "" {
		return nil, nil
	}
	plain, err := json.Marshal(secret{s.Env, []byte(s.UserData)})
	if err != nil {
		return nil, fault.As(err)
	}
	return b.c.Seal.Seal(plain, "job "+id)
}

// opened is the submission with what is sealed.
func (b *Batch) opened(d document) (Submission, error) {
	s := d.Value.Submission
	if len(d.Value.Sealed) == 0 {
		return s, nil
	}
	plain, err := b.c.Seal.Open(d.Value.Sealed, "job "+d.ID)
	if err != nil {
		return s, err
	}
	var kept secret
	if err := json.Unmarshal(plain, &kept); err != nil {
		return s, fault.As(err)
	}
	s.Env, s.UserData = kept.Env, string(kept.UserData)
	return s, nil
}

// specOf is a submission as a runtime is asked to run it.
func specOf(l line, s Submission, id string) runtime.Spec {
	spec := runtime.Spec{
		ID: id, Image: s.Image, Command: s.Command, Env: s.Env, Resources: s.Resources, Timeout: s.Timeout, Labels: s.labels(l.Account, id),
		Place: runtime.Place{Account: l.Account, Cloud: l.Cloud, Region: l.Region, Queue: l.Queue},
	}
	if l.how == single {
		spec.Image, spec.UserData, spec.InstanceType, spec.FallBack = s.AMI, s.UserData, s.InstanceType, s.Priority == High
	}
	if s.Checkpoint {
		spec.Checkpoint = "check"
	}
	return spec
}

// labels are the submitter's tags, and what tells whose a task is.
func (s Submission) labels(account, task string) map[string]string {
	of, _ := jobOf(task)
	labels := map[string]string{}
	for name, value := range s.Tags {
		text, isText := value.(string)
		if !isText {
			encoded, _ := json.Marshal(value) // a number or a truth value, which came as JSON
			text = string(encoded)
		}
		labels[name] = text
	}
	maps.Copy(labels, map[string]string{"neap.job": of, "neap.account": account, "neap.customer": s.Customer, "neap.class": s.Class})
	return labels
}
