// Package aws is Neap's way to Amazon Web Services.
//
// It owns every call to AWS: an Account is one account as a cloud.Provider, and an AWS checks the credentials that users hand in. It keeps nothing that a restart
// would lose, and it must not know accounts of ours, stores or dialects. Neither a secret nor what AWS quotes of a request ever gets into an error or a log. Start
// reading at Account.Launch, and for credentials at AWS.AssumeRole.
//
// The tests run against moto, through awstest.Front, which adds what EC2 does and moto does not; its comment lists the difference, and where the rest is tested.
// Nothing here can show trust across accounts, or regions whose STS is switched off; the sentences for these are tested on made errors.
package aws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud/aws/feeds"
	"github.com/neap-cloud/neap/internal/fault"
)

const (
	answerTime    = 10 * time.Second // for all calls of one check together
	defaultRegion = "us-east-1"
)

// Config says where AWS is.
type Config struct {
	// Endpoint is the address of all services; "" = AWS's own.
	Endpoint string
	// Endpoints are the addresses of single services, by name ("sts", "ec2", "sqs", …), and under "" that of all others.
	Endpoints map[string]string
	// Region signs the requests and, without an Endpoint, picks the regional STS; "" = what the environment says, or else us-east-1.
	Region string
	// Queue is the name of the queue of notices in each account and region; "" = DefaultQueue.
	Queue string
	Log   *slog.Logger // what the SDK warns of, and what an account lacks; nil = nobody hears it
	Clock clock.Clock  // nil = the wall; by it is decided what is asked again
}

// AWS speaks to AWS with credentials of Neap's own, which are found the way every AWS tool finds them: environment, shared files, the machine's role.
// Safe for concurrent use.
type AWS struct {
	own       awssdk.CredentialsProvider
	region    string
	config    awssdk.Config
	endpoint  string
	endpoints map[string]string
	feeds     feeds.Config
	sts       *sts.Client // always the concrete client: as an interface it would keep every operation of the SDK in the binary
}

// New reads the settings of the environment; it makes no call to AWS, and does not mind if there are no credentials yet.
func New(ctx context.Context, c Config) (*AWS, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	for _, endpoint := range append(slices.Collect(maps.Values(c.Endpoints)), c.Endpoint) {
		if err := checkEndpoint(endpoint); err != nil {
			return nil, err
		}
	}
	var region []func(*config.LoadOptions) error
	if c.Region != "" {
		region = append(region, config.WithRegion(c.Region))
	}
	settings, err := config.LoadDefaultConfig(ctx, append(region,
		config.WithDefaultRegion(defaultRegion),
		config.WithLogger(logger(c.Log)),
		config.WithRetryMaxAttempts(2), // somebody waits
	)...)
	if err != nil {
		return nil, fault.Of(fault.Invalid, "cloud", "The AWS settings of this machine can't be read; mend its AWS_… variables, or its files ~/.aws/config and ~/.aws/credentials.").With(err)
	}
	// An endpoint that points elsewhere would be handed what was meant for AWS.
	settings.HTTPClient = &http.Client{Transport: transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	a := &AWS{own: settings.Credentials, region: settings.Region, config: settings, endpoint: c.Endpoint, endpoints: c.Endpoints, feeds: feedsOf(c)}
	a.sts = sts.NewFromConfig(settings, func(o *sts.Options) {
		o.BaseEndpoint = a.at("sts")
	})
	return a, nil
}

func transport() http.RoundTripper {
	return &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 5 * time.Second, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true}
}

// at is a service's address, nil for AWS's own.
func (a *AWS) at(service string) *string {
	if at := cmp.Or(a.endpoints[service], a.endpoints[""], a.endpoint); at != "" {
		return &at
	}
	return nil
}

func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return fault.Of(fault.Invalid, "cloud", "The endpoint of AWS must be an address such as https://sts.eu-west-1.amazonaws.com, without a user name.")
	}
	return nil
}

// logger hands the SDK's remarks to ours. They name operations and settings, never credentials, as long as its log of requests is off, as it is.
func logger(log *slog.Logger) logging.Logger {
	return logging.LoggerFunc(func(kind logging.Classification, format string, args ...any) {
		level := slog.LevelDebug
		if kind == logging.Warn {
			level = slog.LevelWarn
		}
		log.Log(context.Background(), level, "aws: "+strings.TrimSpace(fmt.Sprintf(format, args...)))
	})
}

// Principal is the ARN that users' roles have to trust: Neap's own user or role. It is fault.Unavailable while Neap has no credentials, or AWS does not answer.
func (a *AWS) Principal(ctx context.Context) (arn string, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if err := a.haveCredentials(ctx); err != nil {
		return "", err
	}
	return a.principal(ctx)
}

func (a *AWS) principal(ctx context.Context) (string, error) {
	own, err := a.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", trouble(ctx, "GetCallerIdentity", err)
	}
	return trusted(awssdk.ToString(own.Arn)), nil
}

// trusted is the spelling of an identity that a trust policy takes: for a session, which ends, it is the role, which stays. A session does not show its
// role's path, so of a role with a path this is not the whole ARN.
func trusted(identity string) string {
	parts := strings.SplitN(identity, ":", 6)
	if len(parts) != 6 || parts[2] != "sts" {
		return identity
	}
	kind, rest, _ := strings.Cut(parts[5], "/")
	name, _, _ := strings.Cut(rest, "/")
	if kind != "assumed-role" || name == "" {
		return identity
	}
	return "arn:" + parts[1] + ":iam::" + parts[4] + ":role/" + name
}

func (a *AWS) haveCredentials(ctx context.Context) error {
	_, err := a.own.Retrieve(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return unavailable("The check of AWS was broken off.", ctx.Err())
	}
	return unavailable("Neap has no AWS credentials of its own; "+howToGive, cause("Credentials", err))
}
