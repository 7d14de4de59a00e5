package aws

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
)

// How often AWS is asked for notices [all figures ours]. The engine asks several times a second; every request to the queue costs money.
const (
	lookQuietly  = 2 * time.Second  // at the queue, while nothing comes …
	busyFor      = time.Minute      // … and at every look for so long after something came
	lookBeside   = 30 * time.Second // at the spot requests, while there is a queue
	lookInstead  = 5 * time.Second  // at the spot requests, while there is none
	lookForQueue = time.Minute      // while there is none
	mostReceives = 10               // of at most 10 messages each, in one look
	hiddenFor    = 15               // seconds until a message that was received and not deleted comes again, perhaps to another replica
	keepNotices  = time.Hour        // as long as the queue keeps them
)

// feeds is what an account's feeds need beside its clients.
type feeds struct {
	queue string
	log   *slog.Logger
	clock clock.Clock
}

func newFeeds(c Config) feeds {
	f := feeds{queue: cmp.Or(c.Queue, DefaultQueue), log: c.Log, clock: c.Clock}
	if f.clock == nil {
		f.clock = clock.Wall{}
	}
	return f
}

// told is what a region told, and when it is asked again. Its lock is never held during a call.
type told struct {
	mu      sync.Mutex
	inbox   inbox
	spot    map[string]spotPrices // by product
	list    priceList
	sold    offerings
	lacking map[string]bool // what was complained of already
}

// inbox holds what was announced and not yet acknowledged.
type inbox struct {
	waiting map[string]*announced // by the notice's id
	done    map[string]time.Time  // acknowledged lately: what comes again nevertheless is not told again

	url                        string    // of the queue, "" while none is known
	isMute                     bool      // the queue does not answer
	sought, received, reviewed time.Time // when the queue was looked for, asked, and the spot requests were read
	heard                      time.Time // when the queue last held something
}

type announced struct {
	cloud.Notice
	at       time.Time
	receipts map[string]string // by message: with these it is taken off the queue. None for what the spot requests told
}

// Notices are those of the region's queue and those that its spot requests tell. What comes in is told at every look until it is acknowledged. While there is no
// queue, or no permission, the spot requests alone tell of interruptions, and nobody of rebalancing.
func (a *Account) Notices(ctx context.Context, region string) ([]cloud.Notice, error) {
	r, now := a.in(region), a.feeds.clock.Now()
	var failed error
	if r.told.isDue(now, (*inbox).queueTurn) {
		failed = a.askQueue(ctx, r, now)
	}
	if r.told.isDue(now, (*inbox).requestsTurn) {
		failed = errors.Join(failed, a.askRequests(ctx, r, now))
	}
	list := r.told.notices(now)
	if failed != nil && len(list) > 0 {
		a.feeds.log.Warn("one source of notices does not answer", "region", region, "error", failed)
		failed = nil
	}
	return list, failed
}

// isDue says whether it is time for something, and if so notes that it is done: of those who look at once, only one asks.
func (t *told) isDue(now time.Time, turn func(b *inbox, now time.Time) (last *time.Time, every time.Duration)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	last, every := turn(&t.inbox, now)
	if !last.IsZero() && now.Sub(*last) < every {
		return false
	}
	*last = now
	return true
}

func (b *inbox) queueTurn(now time.Time) (last *time.Time, every time.Duration) {
	switch {
	case b.url == "":
		return &b.sought, lookForQueue
	case now.Sub(b.heard) < busyFor:
		return &b.received, 0
	}
	return &b.received, lookQuietly
}

func (b *inbox) requestsTurn(time.Time) (last *time.Time, every time.Duration) {
	if b.url == "" || b.isMute {
		return &b.reviewed, lookInstead
	}
	return &b.reviewed, lookBeside
}

func (t *told) notices(now time.Time) []cloud.Notice {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := &t.inbox
	maps.DeleteFunc(b.waiting, func(_ string, n *announced) bool { return now.Sub(n.at) > keepNotices })
	maps.DeleteFunc(b.done, func(_ string, at time.Time) bool { return now.Sub(at) > keepNotices })
	var list []cloud.Notice
	for _, id := range slices.Sorted(maps.Keys(b.waiting)) {
		list = append(list, b.waiting[id].Notice)
	}
	return list
}

// askQueue takes in what the queue holds. That there is none, or that Neap may not read it, is no failure: it is complained of once.
func (a *Account) askQueue(ctx context.Context, r *region, now time.Time) error {
	url, err := a.findQueue(ctx, r)
	for n := 0; err == nil && n < mostReceives; n++ {
		var got *sqs.ReceiveMessageOutput
		got, err = r.queue.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10, VisibilityTimeout: hiddenFor})
		if err != nil || len(got.Messages) == 0 {
			break
		}
		err = a.takeMessages(ctx, r, url, got.Messages, now)
	}
	var missing *types.QueueDoesNotExist
	isMissing := errors.As(err, &missing) || code(err) == "AWS.SimpleQueueService.NonExistentQueue" || isDenied(err)
	r.told.mu.Lock()
	r.told.inbox.isMute = err != nil
	if isMissing {
		r.told.inbox.url, r.told.inbox.sought = "", now
	}
	r.told.mu.Unlock()
	switch {
	case err == nil:
		a.works(r, "queue")
		return nil
	case !isMissing:
		return refused("the queue of notices", r.name, err)
	}
	a.lacks(r, "queue", fmt.Sprintf("Neap hears of interruptions up to %s later, and not of rebalancing: it can't read the queue %s. "+
		"Make it with what `neap aws init` prints.", lookInstead, a.feeds.queue), cause("the queue of notices", err))
	return nil
}

func (a *Account) findQueue(ctx context.Context, r *region) (string, error) {
	r.told.mu.Lock()
	known := r.told.inbox.url
	r.told.mu.Unlock()
	if known != "" {
		return known, nil
	}
	found, err := r.queue.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &a.feeds.queue})
	if err != nil {
		return "", err
	}
	r.told.mu.Lock()
	defer r.told.mu.Unlock()
	r.told.inbox.url = awssdk.ToString(found.QueueUrl)
	return r.told.inbox.url, nil
}

// takeMessages takes in what can be read, and takes off the queue what can't, and what was acknowledged already.
func (a *Account) takeMessages(ctx context.Context, r *region, url string, messages []types.Message, now time.Time) error {
	var useless []string
	for _, m := range messages {
		n, err := read(awssdk.ToString(m.Body))
		if err != nil {
			a.feeds.log.Warn("a message on the queue of notices is none, and is deleted", "region", r.name, "message", awssdk.ToString(m.MessageId), "why", err)
		}
		if err != nil || !r.told.take(n, now, awssdk.ToString(m.MessageId), awssdk.ToString(m.ReceiptHandle)) {
			useless = append(useless, awssdk.ToString(m.ReceiptHandle))
		}
	}
	r.told.mu.Lock()
	r.told.inbox.heard = now
	r.told.mu.Unlock()
	return deleteMessages(ctx, r, url, useless)
}

// take keeps a notice until it is acknowledged; false when it was already.
func (t *told) take(n cloud.Notice, now time.Time, message, receipt string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := &t.inbox
	if _, done := b.done[n.ID]; done {
		return false
	}
	if b.waiting == nil {
		b.waiting = map[string]*announced{}
	}
	known := b.waiting[n.ID]
	if known == nil {
		known = &announced{Notice: n, at: now, receipts: map[string]string{}}
		b.waiting[n.ID] = known
	}
	if message != "" {
		known.receipts[message] = receipt
	}
	return true
}

// Acknowledge takes notices off the queue. A message that can't be deleted at once comes again, is known then, and is deleted without being told again.
func (a *Account) Acknowledge(ctx context.Context, region string, ids []string) error {
	r, now := a.in(region), a.feeds.clock.Now()
	r.told.mu.Lock()
	url := r.told.inbox.url
	var receipts []string
	for _, id := range ids {
		if n := r.told.inbox.waiting[id]; n != nil {
			receipts = append(receipts, slices.Collect(maps.Values(n.receipts))...)
		}
	}
	r.told.mu.Unlock()
	if url != "" {
		if err := deleteMessages(ctx, r, url, receipts); err != nil {
			return err
		}
	}
	r.told.mu.Lock()
	defer r.told.mu.Unlock()
	for _, id := range ids {
		if r.told.inbox.waiting[id] == nil {
			continue
		}
		delete(r.told.inbox.waiting, id)
		if r.told.inbox.done == nil {
			r.told.inbox.done = map[string]time.Time{}
		}
		r.told.inbox.done[id] = now
	}
	return nil
}

// deleteMessages takes messages off the queue. Those that AWS refuses one by one, as their receipts are old, come again.
func deleteMessages(ctx context.Context, r *region, url string, receipts []string) error {
	for some := range slices.Chunk(receipts, 10) {
		var entries []types.DeleteMessageBatchRequestEntry
		for n, receipt := range some {
			entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: awssdk.String(fmt.Sprint(n)), ReceiptHandle: &receipt})
		}
		if _, err := r.queue.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &url, Entries: entries}); err != nil {
			return refused("DeleteMessageBatch", r.name, err)
		}
	}
	return nil
}

// EventBridge's names of what Neap wants to hear of.
const (
	interruptionWarning     = "EC2 Spot Instance Interruption Warning"
	rebalanceRecommendation = "EC2 Instance Rebalance Recommendation"
)

// Events are the kinds of events that a rule is to put on the queue of notices, as EventBridge spells them; their source is aws.ec2.
func Events() []string { return []string{interruptionWarning, rebalanceRecommendation} }

// event is what EventBridge puts on the queue.
type event struct {
	ID     string    `json:"id"`
	Kind   string    `json:"detail-type"`
	Time   time.Time `json:"time"`
	Region string    `json:"region"`
	Detail struct {
		Instance string `json:"instance-id"`
	} `json:"detail"`
}

// read makes a notice of a message. It keeps the event's own region: an account may send all regions' events to one queue, and an instance that is not here harms
// nobody. Errors do not quote the message.
func read(body string) (cloud.Notice, error) {
	var e event
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		return cloud.Notice{}, errors.New("it is no event of EventBridge")
	}
	n := cloud.Notice{ID: e.ID, Region: e.Region, Instance: e.Detail.Instance, IssuedAt: e.Time.UTC()}
	switch e.Kind {
	case interruptionWarning:
		n.Kind, n.Deadline = cloud.Interruption, n.IssuedAt.Add(notice)
	case rebalanceRecommendation:
		n.Kind = cloud.Rebalance
	default:
		return cloud.Notice{}, errors.New("it is another kind of event; check the rules that lead to the queue")
	}
	if e.ID == "" || e.Detail.Instance == "" || e.Time.IsZero() || e.Region == "" {
		return cloud.Notice{}, errors.New("its id, time, region or instance is missing")
	}
	return n, nil
}

func isDenied(err error) bool { return refusals[code(err)].Kind == cloud.Denied }

// lacks complains, once until it works again.
func (a *Account) lacks(r *region, what, sentence string, why error) {
	r.told.mu.Lock()
	known := r.told.lacking[what]
	if r.told.lacking == nil {
		r.told.lacking = map[string]bool{}
	}
	r.told.lacking[what] = true
	r.told.mu.Unlock()
	if !known {
		a.feeds.log.Warn(sentence, "region", r.name, "error", why)
	}
}

func (a *Account) works(r *region, what string) {
	r.told.mu.Lock()
	known := r.told.lacking[what]
	delete(r.told.lacking, what)
	r.told.mu.Unlock()
	if known {
		a.feeds.log.Info("what was lacking works now", "what", what, "region", r.name)
	}
}

var _ cloud.Notifier = (*Account)(nil)
