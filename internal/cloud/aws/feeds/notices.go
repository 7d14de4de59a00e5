package feeds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

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
func (r *Region) Notices(ctx context.Context) ([]cloud.Notice, error) {
	now := r.Clock.Now()
	var failed error
	if r.isDue(now, (*inbox).queueTurn) {
		failed = r.askQueue(ctx, now)
	}
	if r.isDue(now, (*inbox).requestsTurn) {
		failed = errors.Join(failed, r.askRequests(ctx, now))
	}
	list := r.notices(now)
	if failed != nil && len(list) > 0 {
		r.Log.Warn("one source of notices does not answer", "region", r.Name, "error", failed)
		failed = nil
	}
	return list, failed
}

// isDue says whether it is time for something, and if so notes that it is done: of those who look at once, only one asks.
func (r *Region) isDue(now time.Time, turn func(b *inbox, now time.Time) (last *time.Time, every time.Duration)) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	last, every := turn(&r.inbox, now)
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

func (r *Region) notices(now time.Time) []cloud.Notice {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := &r.inbox
	maps.DeleteFunc(b.waiting, func(_ string, n *announced) bool { return now.Sub(n.at) > keepNotices })
	maps.DeleteFunc(b.done, func(_ string, at time.Time) bool { return now.Sub(at) > keepNotices })
	var list []cloud.Notice
	for _, id := range slices.Sorted(maps.Keys(b.waiting)) {
		list = append(list, b.waiting[id].Notice)
	}
	return list
}

// askQueue takes in what the queue holds. That there is none, or that Neap may not read it, is no failure: it is complained of once.
func (r *Region) askQueue(ctx context.Context, now time.Time) error {
	url, err := r.findQueue(ctx)
	for n := 0; err == nil && n < mostReceives; n++ {
		var got *sqs.ReceiveMessageOutput
		got, err = r.SQS.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10, VisibilityTimeout: hiddenFor})
		if err != nil || len(got.Messages) == 0 {
			break
		}
		err = r.takeMessages(ctx, url, got.Messages, now)
	}
	var missing *types.QueueDoesNotExist
	isMissing := errors.As(err, &missing) || codeOf(err) == "AWS.SimpleQueueService.NonExistentQueue" || r.isDenied(err)
	r.mu.Lock()
	r.inbox.isMute = err != nil
	if isMissing {
		r.inbox.url, r.inbox.sought = "", now
	}
	r.mu.Unlock()
	switch {
	case err == nil:
		r.works("queue")
		return nil
	case !isMissing:
		return r.Refused("the queue of notices", r.Name, err)
	}
	r.lacks("queue", fmt.Sprintf("Neap hears of interruptions up to %s later, and not of rebalancing: it can't read the queue %s. "+
		"Make it with what `neap aws init` prints.", lookInstead, r.Queue), r.Cause("the queue of notices", err))
	return nil
}

func (r *Region) findQueue(ctx context.Context) (string, error) {
	r.mu.Lock()
	known := r.inbox.url
	r.mu.Unlock()
	if known != "" {
		return known, nil
	}
	found, err := r.SQS.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &r.Queue})
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inbox.url = awssdk.ToString(found.QueueUrl)
	return r.inbox.url, nil
}

// takeMessages takes in what can be read, and takes off the queue what can't, and what was acknowledged already.
func (r *Region) takeMessages(ctx context.Context, url string, messages []types.Message, now time.Time) error {
	var useless []string
	for _, m := range messages {
		n, err := read(awssdk.ToString(m.Body))
		if err != nil {
			r.Log.Warn("a message on the queue of notices is none, and is deleted", "region", r.Name, "message", awssdk.ToString(m.MessageId), "why", err)
		}
		if err != nil || !r.take(n, now, awssdk.ToString(m.MessageId), awssdk.ToString(m.ReceiptHandle)) {
			useless = append(useless, awssdk.ToString(m.ReceiptHandle))
		}
	}
	r.mu.Lock()
	r.inbox.heard = now
	r.mu.Unlock()
	return r.deleteMessages(ctx, url, useless)
}

// take keeps a notice until it is acknowledged; false when it was already.
func (r *Region) take(n cloud.Notice, now time.Time, message, receipt string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := &r.inbox
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
func (r *Region) Acknowledge(ctx context.Context, ids []string) error {
	now := r.Clock.Now()
	r.mu.Lock()
	url := r.inbox.url
	var receipts []string
	for _, id := range ids {
		if n := r.inbox.waiting[id]; n != nil {
			receipts = append(receipts, slices.Collect(maps.Values(n.receipts))...)
		}
	}
	r.mu.Unlock()
	if url != "" {
		if err := r.deleteMessages(ctx, url, receipts); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		if r.inbox.waiting[id] == nil {
			continue
		}
		delete(r.inbox.waiting, id)
		if r.inbox.done == nil {
			r.inbox.done = map[string]time.Time{}
		}
		r.inbox.done[id] = now
	}
	return nil
}

// deleteMessages takes messages off the queue. Those that AWS refuses one by one, as their receipts are old, come again.
func (r *Region) deleteMessages(ctx context.Context, url string, receipts []string) error {
	for some := range slices.Chunk(receipts, 10) {
		var entries []types.DeleteMessageBatchRequestEntry
		for n, receipt := range some {
			entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: awssdk.String(fmt.Sprint(n)), ReceiptHandle: &receipt})
		}
		if _, err := r.SQS.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &url, Entries: entries}); err != nil {
			return r.Refused("DeleteMessageBatch", r.Name, err)
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

// lacks complains, once until it works again.
func (r *Region) lacks(what, sentence string, why error) {
	r.mu.Lock()
	known := r.lacking[what]
	if r.lacking == nil {
		r.lacking = map[string]bool{}
	}
	r.lacking[what] = true
	r.mu.Unlock()
	if !known {
		r.Log.Warn(sentence, "region", r.Name, "error", why)
	}
}

func (r *Region) works(what string) {
	r.mu.Lock()
	known := r.lacking[what]
	delete(r.lacking, what)
	r.mu.Unlock()
	if known {
		r.Log.Info("what was lacking works now", "what", what, "region", r.Name)
	}
}
