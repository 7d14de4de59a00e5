// Package feeds takes in what a region of AWS tells without being changed: notices, prices, and what it sells.
//
// It owns those calls, and remembers what need not be asked again so soon; a restart loses nothing by that. It must not know accounts of ours, nor how a role's
// session comes about. Start reading at Region; then notices.go for what must not be missed.
package feeds

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/smithy-go"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws/calls"
)

// Config is what the feeds of one account in one region need.
type Config struct {
	Name    string // of the region
	EC2     *calls.EC2
	SQS     *calls.SQS
	Pricing *calls.Pricing // nil where the price list is sold elsewhere, as it is for all partitions but the first
	Queue   string         // name of the queue of notices
	Log     *slog.Logger
	Clock   clock.Clock
	// Refused words what AWS answered to a call for whoever acts on it, and Cause for the log; neither quotes secrets.
	Refused func(call, key string, err error) error
	Cause   func(call string, err error) error
}

// Region is what a region told, and when it is asked again. Safe for concurrent use; its lock is never held during a call.
type Region struct {
	Config

	mu      sync.Mutex
	inbox   inbox
	spot    map[string]spotPrices // by product
	list    priceList
	sold    offerings
	lacking map[string]bool // what was complained of already
}

// New makes no call.
func New(c Config) *Region { return &Region{Config: c} }

// notice is how long before its end an interruption is announced, as EC2 documents it.
const notice = 2 * time.Minute

// codeOf is AWS's own word for a refusal, "" for failures of other kinds.
func codeOf(err error) string {
	if answer, is := errors.AsType[smithy.APIError](err); is {
		return answer.ErrorCode()
	}
	return ""
}

func (r *Region) isDenied(err error) bool {
	refusal, is := errors.AsType[*cloud.Refusal](r.Refused("", r.Name, err))
	return is && refusal.Kind == cloud.Denied
}
