// Package jobs runs containers in the queues of AWS Batch of one account and region.
//
// It owns the calls of AWS Batch and CloudWatch Logs, and what their words mean. What it remembers, the definitions that are registered, need not be remembered. It
// must not know accounts of ours, nor who wants a job run. Start reading at Region.Submit; then describe.go for how a job ended.
package jobs

import (
	"errors"
	"slices"
	"strings"
	"sync"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws/calls"
)

// Config is what the queues of one account in one region need.
type Config struct {
	Name  string // of the region
	Batch *calls.Batch
	Logs  *calls.Logs
	// Refused words what AWS answered to a call for whoever acts on it, without quoting secrets.
	Refused func(call, key string, err error) error
	// Careful repeats a call only when AWS has said that it did nothing yet.
	Careful func(awssdk.Retryer) awssdk.Retryer
}

// Region is an account's queues in a region. Safe for concurrent use.
type Region struct {
	Config

	defining chan struct{} // holds one token while somebody looks for a definition, or registers it
	mu       sync.Mutex
	known    map[string]string // ARNs of definitions, by name
}

// New makes no call.
func New(c Config) *Region {
	return &Region{Config: c, defining: make(chan struct{}, 1), known: map[string]string{}}
}

// What AWS Batch documents of its calls.
const (
	idsAtOnce    = 100 // of DescribeJobs
	queuesAtOnce = 100
	namePrefix   = "neap-" // of jobs and definitions: policies of IAM go by it
)

// nameOf is a job's name for a token: Batch takes no dots, and tokens have no underscores.
func nameOf(token string) string { return namePrefix + strings.ReplaceAll(token, ".", "_") }

// tokenOf is the token that a job was named for, "" when the job is not Neap's.
func tokenOf(name string) string {
	token, is := strings.CutPrefix(name, namePrefix)
	if !is {
		return ""
	}
	return strings.ReplaceAll(token, "_", ".")
}

// pages reads a listing to its end.
func pages[T any](read func(token *string) (page []T, next *string, err error)) (all []T, err error) {
	for token, more := (*string)(nil), true; more; more = awssdk.ToString(token) != "" {
		var page []T
		if page, token, err = read(token); err != nil {
			return nil, err
		}
		all = slices.Concat(all, page)
	}
	return all, nil
}

func isKind(err error, kind cloud.RefusalKind) bool {
	refusal, is := errors.AsType[*cloud.Refusal](err)
	return is && refusal.Kind == kind
}
