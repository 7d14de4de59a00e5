// Package settings is how a Neap is started: from flags, from the environment, from a file.
//
// It owns every setting of `neap up`, where each may be given, and what is refused. It must not know the commands that read them, nor what becomes of a value.
// Start reading at Up.
package settings

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"github.com/neap-cloud/neap/internal/cli/suggest"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/money"
)

// Prefix is what the variables of Neap, server and client, begin with.
const Prefix = "NEAP_"

// Up is how a Neap is started. Every field has a flag, a variable NEAP_… and a key of the configuration file, in this precedence.
type Up struct {
	Data     string // folder of everything that is kept
	Listen   string // "host:port"
	Database string // PostgreSQL URL; "" = SQLite inside Data
	KeyFile  string // "" = server.key inside Data
	Key      []byte // the server key itself, from NEAP_SERVER_KEY alone: no command line shows it; nil = it is in a file
	NextKey  []byte // what is to replace it, from NEAP_SERVER_KEY_NEXT
	// PublicURL is where clients reach Neap, as they write it: what they sign has it in it. "" = as their requests say.
	PublicURL string
	Hosts     hosts  // names by which clients may call this Neap, beside those that it knows by itself
	Domain    string // below which host names name a tenant of the cmpute API: TENANT.DOMAIN; "" = none do
	Cloud     string // of accounts that are made: "sim", or "aws" for those that their credentials are for
	// Other addresses of the clouds than their own.
	AWSEndpoint                                    endpoints
	AWSQueue                                       string // of notices, in each region
	GCPTokenURL, AzureLoginURL, AzureManagementURL string
	Drain                                          time.Duration
	Hold                                           time.Duration // of deleted groups
	Spend, GroupSpend                              money.Price   // what an account, and a group, may newly commit to per hour; 0 = no limit
	spend, groupSpend                              string
	// Days to keep what grows with time; 0 = for ever.
	KeepLogs, KeepDecisions, KeepLedger, KeepAudit, KeepDead int
	Rate                                                     float64
	Seed                                                     int64
	LaunchListen, LaunchRegion                               string // of the Launch & Provision API; "" = the common address alone, the usual region
	LaunchEC2Time                                            bool
	Outbound                                                 networks // that webhooks may reach although they are not public
	Jobs                                                     Jobs
	NoDemo                                                   bool
	LogFormat                                                string // "text" or "json"
	LogLevel                                                 slog.Level
}

// Bind declares the flags; their values are c's fields.
func (c *Up) Bind(flags *pflag.FlagSet) {
	flags.StringVar(&c.Data, "data", "./neap-data", "folder of everything that is kept")
	flags.StringVar(&c.Listen, "listen", "127.0.0.1:8080", "host:port to serve on")
	flags.StringVar(&c.Database, "database", "", "PostgreSQL URL (default: SQLite inside the data folder)")
	flags.StringVar(&c.KeyFile, "key-file", "", "file with the server key, the same for all replicas (default: server.key in the data folder)")
	flags.StringVar(&c.PublicURL, "public-url", "", "address at which clients reach Neap, if a proxy stands between: signed requests have it in them")
	flags.StringVar(&c.Domain, "domain", "", "domain below which host names name an organisation to cmpute clients: ORGANISATION.DOMAIN")
	flags.Var(&c.Hosts, "host", "name by which clients may call this Neap, beside localhost, this machine's name and addresses; may be repeated")
	flags.StringVar(&c.LaunchListen, "launch-listen", "", "host:port to serve the Launch & Provision API alone on, beside --listen")
	flags.StringVar(&c.LaunchRegion, "launch-region", "us-east-1", "region of the Launch & Provision API's instances")
	flags.BoolVar(&c.LaunchEC2Time, "launch-ec2-time", false, "write launch times of the Launch & Provision API as EC2 does, with colons")
	flags.StringVar(&c.Cloud, "cloud", "sim", "cloud of accounts that are made: sim, or aws for those that their credentials are for")
	flags.StringVar(&c.AWSQueue, "aws-queue", "neap-notices", "name of the queues from which AWS's notices come, one in each region; each Neap needs its own")
	flags.Var(&c.AWSEndpoint, "aws-endpoint", "address of AWS's services if not AWS's own, or of one: ec2=https://…; may be repeated")
	flags.StringVar(&c.GCPTokenURL, "gcp-token-url", "", "address of Google's tokens, if not Google's own")
	flags.StringVar(&c.AzureLoginURL, "azure-login-url", "", "address of Microsoft's tokens, if not Microsoft's own")
	flags.StringVar(&c.AzureManagementURL, "azure-management-url", "", "address of Azure's management, if not Microsoft's own")
	flags.DurationVar(&c.Drain, "drain", time.Second, "how long to go on serving after SIGTERM, so that load balancers notice; counts with --database only")
	flags.DurationVar(&c.Hold, "deletion-hold", 0, "how long a deleted group's instances are kept, so that neap undelete can bring it back")
	flags.StringVar(&c.spend, "spend-limit", "", "most that an account's launches within an hour may cost per hour, in dollars: 12.50 (default: no limit)")
	flags.StringVar(&c.groupSpend, "group-spend-limit", "", "most that one group's launches within an hour may cost per hour, in dollars: 12.50 (default: no limit)")
	flags.Var(&c.Outbound, "allow-outbound", "network that webhooks may reach although it is not public; may be repeated")
	flags.IntVar(&c.KeepLogs, "retention-logs", 90, "days to keep log lines and events; 0 = for ever")
	flags.IntVar(&c.KeepDecisions, "retention-decisions", 30, "days to keep decisions and settled actions; 0 = for ever")
	flags.IntVar(&c.KeepLedger, "retention-ledger", 395, "days to keep costs and ended instances; 0 = for ever")
	flags.IntVar(&c.KeepAudit, "retention-audit", 400, "days to keep audit entries; 0 = for ever")
	flags.IntVar(&c.KeepDead, "retention-dead", 30, "days to keep letters that a webhook's receiver did not take; 0 = for ever")
	c.Jobs.bind(flags)
	flags.Float64Var(&c.Rate, "rate", 1, "how many times faster than the wall simulated time runs")
	flags.Int64Var(&c.Seed, "seed", 1, "seed of the simulated cloud's randomness")
	flags.BoolVar(&c.NoDemo, "no-demo", false, "start without the demo organisation")
	flags.StringVar(&c.LogFormat, "log-format", "text", "text or json")
	flags.TextVar(&c.LogLevel, "log-level", slog.LevelInfo, "debug, info, warn or error")
}

// Settle fills what the command line left open of the flags from the environment, then from the file at path ("" = the one that NEAP_CONFIG names, if any), and
// checks the result.
func (c *Up) Settle(flags *pflag.FlagSet, path string, environ []string) error {
	path = cmp.Or(path, Lookup(environ, Prefix+"CONFIG"))
	var known []string
	given := map[string]bool{}
	flags.VisitAll(func(f *pflag.Flag) {
		known = append(known, f.Name)
		given[f.Name] = f.Changed
	})
	sources := []source{{name: path, read: readFile}, {name: "the environment", read: readEnviron(known, environ)}}
	if path == "" {
		sources = sources[1:]
	}
	var faults []*fault.Error
	for _, s := range sources {
		values, err := s.read(s.name)
		if err != nil {
			return err
		}
		faults = append(faults, apply(flags, s.name, values, known, given)...)
	}
	faults = append(faults, c.readKeys(environ)...)
	return fault.All(append(faults, c.check()...))
}

type source struct {
	name string
	read func(name string) (*koanf.Koanf, error)
}

func readFile(path string) (*koanf.Koanf, error) {
	values := koanf.New(".")
	if err := values.Load(file.Provider(path), yaml.Parser()); err != nil {
		if os.IsNotExist(err) {
			return nil, fault.Of(fault.Invalid, "settings", "There is no configuration file %s.", path)
		}
		return nil, fault.Of(fault.Invalid, "settings", "The configuration file %s cannot be read: %v", path, err)
	}
	return values, nil
}

func readEnviron(known, environ []string) func(string) (*koanf.Koanf, error) {
	return func(string) (*koanf.Koanf, error) {
		values := koanf.New(".")
		// Variables that are no setting of the server belong to the client (NEAP_TOKEN …) or to somebody else.
		err := values.Load(env.Provider(".", env.Opt{
			Prefix:      Prefix,
			EnvironFunc: func() []string { return environ },
			TransformFunc: func(name, value string) (string, any) {
				key := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, Prefix)), "_", "-")
				if !slices.Contains(known, key) {
					return "", nil
				}
				return key, value
			},
		}), nil)
		return values, err
	}
}

// apply sets the flags that the command line did not give, and says what it cannot use.
func apply(flags *pflag.FlagSet, from string, values *koanf.Koanf, known []string, given map[string]bool) []*fault.Error {
	var faults []*fault.Error
	for _, key := range values.Keys() {
		if !slices.Contains(known, key) {
			faults = append(faults, fault.Field(key, "%s has a setting that Neap does not know%s", from, orKnown(key, known)))
			continue
		}
		if given[key] {
			continue
		}
		if err := flags.Set(key, values.String(key)); err != nil {
			faults = append(faults, fault.Field(key, "%s says %q, which does not fit: %s.", from, fmt.Sprint(values.Get(key)), flags.Lookup(key).Usage))
		}
	}
	return faults
}

func orKnown(key string, known []string) string {
	if clause := suggest.Clause(key, known); clause != "" {
		return clause
	}
	return "; it knows " + strings.Join(known, ", ") + "."
}

// check says what no server could be started with.
func (c *Up) check() []*fault.Error {
	var faults []*fault.Error
	refuse := func(key, format string, args ...any) { faults = append(faults, fault.Field(key, format, args...)) }
	if c.Data == "" {
		refuse("data", "Name a folder.")
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		refuse("listen", "%q is not host:port, for example 127.0.0.1:8080.", c.Listen)
	}
	if _, _, err := net.SplitHostPort(c.LaunchListen); c.LaunchListen != "" && err != nil {
		refuse("launch-listen", "%q is not host:port, for example 127.0.0.1:8081.", c.LaunchListen)
	}
	if c.Jobs.VCPUs < 0 || c.Jobs.MemoryMiB < 0 {
		refuse("job-vcpus", "What jobs may use of this machine is not negative.")
	}
	if c.Database != "" {
		// The URL may hold a password, so it is never repeated.
		if u, err := url.Parse(c.Database); err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
			refuse("database", "This is not a PostgreSQL URL, for example postgres://neap@127.0.0.1/neap; leave it out for SQLite.")
		}
	}
	if c.Drain < 0 || c.Drain > time.Hour {
		refuse("drain", "%s is not between 0s and 1h.", c.Drain)
	}
	if u, err := url.Parse(c.PublicURL); c.PublicURL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		refuse("public-url", "%q is no address such as https://neap.example.com.", c.PublicURL)
	}
	if c.Cloud != "sim" && c.Cloud != "aws" {
		refuse("cloud", "%q is neither sim nor aws.", c.Cloud)
	}
	if c.Hold < 0 {
		refuse("deletion-hold", "%s is below 0s; 0s means that nothing is held.", c.Hold)
	}
	for _, limit := range []struct {
		key, text string
		price     *money.Price
	}{{"spend-limit", c.spend, &c.Spend}, {"group-spend-limit", c.groupSpend, &c.GroupSpend}} {
		var err error
		if *limit.price, err = money.ParsePrice(cmp.Or(limit.text, "0")); err != nil || limit.text != "" && *limit.price <= 0 {
			refuse(limit.key, "%q is not an amount of dollars above 0, for example 12.50; leave it out for no limit.", limit.text)
		}
	}
	for key, days := range map[string]int{"retention-logs": c.KeepLogs, "retention-decisions": c.KeepDecisions, "retention-ledger": c.KeepLedger, "retention-audit": c.KeepAudit, "retention-dead": c.KeepDead} {
		if days < 0 || days > 36_500 {
			refuse(key, "%d is no number of days from 0 (for ever) to 36500.", days)
		}
	}
	if c.Rate <= 0 {
		refuse("rate", "%g is not above 0; 1 is real time.", c.Rate)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		refuse("log-format", "%q is neither text nor json.", c.LogFormat)
	}
	return faults
}
