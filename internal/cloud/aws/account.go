package aws

import (
	"context"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/pricing"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws/calls"
	"github.com/neap-cloud/neap/internal/cloud/aws/feeds"
	"github.com/neap-cloud/neap/internal/cloud/aws/jobs"
)

const (
	roleSession  = "neap"          // CloudTrail of the account shows it
	renewEarly   = 5 * time.Minute // before a session ends
	mostAttempts = 3               // of one call: its caller has a time limit and asks again
	longestPause = 2 * time.Second // between two of them
	settle       = time.Minute     // EC2 says no figure; what it shows lags by seconds, in bad hours by more
	notice       = 2 * time.Minute // of an interruption, as EC2 documents it
)

// Account is one account of AWS, seen through a role of its own. It implements cloud.Provider, and the abilities that the guards in each file name.
// Safe for concurrent use; it remembers nothing that a restart would lose.
type Account struct {
	config awssdk.Config
	at     func(service string) *string // its address, nil for AWS's own
	feeds  feeds.Config

	mu      sync.Mutex
	regions map[string]*region
}

// region holds what an account can ask of AWS in one region; package calls says why these are no clients.
type region struct {
	name     string
	ec2      *calls.EC2
	scaling  *calls.AutoScaling
	watch    *calls.CloudWatch
	classic  *calls.Classic
	balancer *calls.Balancer
	queue    *calls.SQS
	told     *feeds.Region
	jobs     *jobs.Region

	mu   sync.Mutex
	seen map[string]subnet
}

// Account is the account that a role belongs to; with role "" it is the one that Neap's own credentials are for. No call is made before one is needed.
func (a *AWS) Account(role, externalID string) *Account {
	settings := a.config.Copy()
	settings.Retryer, settings.RetryMaxAttempts = adaptive(longestPause), mostAttempts
	if role != "" {
		assume := stscreds.NewAssumeRoleProvider(roles{a.sts}, role, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = roleSession
			if externalID != "" {
				o.ExternalID = &externalID
			}
		})
		settings.Credentials = awssdk.NewCredentialsCache(assume, func(o *awssdk.CredentialsCacheOptions) { o.ExpiryWindow = renewEarly })
	}
	return &Account{config: settings, at: a.at, feeds: a.feeds, regions: map[string]*region{}}
}

// roles is the one operation that sessions are made with.
type roles struct{ client *sts.Client }

// AssumeRole is stscreds.AssumeRoleAPIClient's.
func (r roles) AssumeRole(ctx context.Context, in *sts.AssumeRoleInput, options ...func(*sts.Options)) (*sts.AssumeRoleOutput, error) {
	return r.client.AssumeRole(ctx, in, options...)
}

// adaptive repeats what may be repeated, and slows down as AWS asks. Every call that starts something carries a token, so repeating it does no harm.
func adaptive(pause time.Duration) func() awssdk.Retryer {
	return func() awssdk.Retryer {
		return retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
			o.StandardOptions = append(o.StandardOptions, func(o *retry.StandardOptions) {
				o.MaxAttempts, o.MaxBackoff = mostAttempts, pause
				o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(dry)}, o.Retryables...)
			})
		})
	}
}

// dry keeps the SDK from asking a dry pool again: EC2 answers with 500, as if it had failed.
func dry(err error) awssdk.Ternary {
	if kind := refusals[code(err)].Kind; kind == cloud.NoCapacity || kind == cloud.NoQuota {
		return awssdk.FalseTernary
	}
	return awssdk.UnknownTernary
}

// afterAnswers lets the SDK repeat a launch only when AWS has said that it did nothing yet. After a lost answer only the caller may repeat it: he knows then that
// a refusal may be one of the repetition alone, while the first attempt has started something.
func afterAnswers(o *ec2.Options) { o.Retryer = afterAnswer(o.Retryer) }

func afterAnswer(r awssdk.Retryer) awssdk.Retryer {
	if inner, ok := r.(awssdk.RetryerV2); ok {
		return throttledOnly{inner}
	}
	return r
}

type throttledOnly struct{ awssdk.RetryerV2 }

// IsErrorRetryable is aws.Retryer's.
func (r throttledOnly) IsErrorRetryable(err error) bool {
	return refusals[code(err)].Kind == cloud.Throttled && r.RetryerV2.IsErrorRetryable(err)
}

// Info is cloud.Provider's.
func (a *Account) Info() cloud.Info { return cloud.Info{Name: "aws", Settle: settle, Notice: notice} }

// in gives the clients of a region.
func (a *Account) in(name string) *region {
	a.mu.Lock()
	defer a.mu.Unlock()
	if known := a.regions[name]; known != nil {
		return known
	}
	settings := a.config.Copy()
	settings.Region = name
	r := &region{
		name:     name,
		ec2:      calls.EC2Of(ec2.NewFromConfig(settings, func(o *ec2.Options) { o.BaseEndpoint = a.at("ec2") })),
		scaling:  calls.AutoScalingOf(autoscaling.NewFromConfig(settings, func(o *autoscaling.Options) { o.BaseEndpoint = a.at("autoscaling") })),
		watch:    calls.CloudWatchOf(cloudwatch.NewFromConfig(settings, func(o *cloudwatch.Options) { o.BaseEndpoint = a.at("cloudwatch") })),
		classic:  calls.ClassicOf(elasticloadbalancing.NewFromConfig(settings, func(o *elasticloadbalancing.Options) { o.BaseEndpoint = a.at("elasticloadbalancing") })),
		balancer: calls.BalancerOf(elasticloadbalancingv2.NewFromConfig(settings, func(o *elasticloadbalancingv2.Options) { o.BaseEndpoint = a.at("elasticloadbalancing") })),
		queue:    calls.SQSOf(sqs.NewFromConfig(settings, func(o *sqs.Options) { o.BaseEndpoint = a.at("sqs") })),
	}
	r.told, r.jobs = a.feed(name, r.ec2, r.queue), a.batches(settings)
	a.regions[name] = r
	return r
}

// pricesRegion is where the list of prices is sold from, whatever region they are for.
const pricesRegion = "us-east-1"

// prices gives the client of the price list.
func (a *Account) prices() *calls.Pricing {
	settings := a.config.Copy()
	settings.Region = pricesRegion
	return calls.PricingOf(pricing.NewFromConfig(settings, func(o *pricing.Options) { o.BaseEndpoint = a.at("pricing") }))
}
