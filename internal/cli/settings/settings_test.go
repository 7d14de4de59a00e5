package settings

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/neap-cloud/neap/internal/fault"
)

func yamlFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "neap.yaml")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// read settles what a command line, the environment and a file say.
func read(t *testing.T, environ []string, path string, args ...string) (c Up, err error) {
	t.Helper()
	flags := pflag.NewFlagSet("up", pflag.ContinueOnError)
	c.Bind(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return c, c.Settle(flags, path, environ)
}

// said is all that a person is told.
func said(err error) string {
	var text strings.Builder
	for _, f := range append([]*fault.Error{fault.As(err)}, fault.As(err).Others...) {
		text.WriteString(f.Error() + "\n")
	}
	return text.String()
}

func TestUpStartsWithItsDefaults(t *testing.T) {
	want := Up{Data: "./neap-data", Listen: "127.0.0.1:8080", Cloud: "sim", AWSQueue: "neap-notices", Drain: time.Second, KeepLogs: 90, KeepDecisions: 30, KeepLedger: 395, KeepAudit: 400, KeepDead: 30, Rate: 1, Seed: 1, LaunchRegion: "us-east-1", Jobs: Jobs{SpotQueue: "neap-spot", OnDemandQueue: "neap-on-demand", host: true}, LogFormat: "text", LogLevel: slog.LevelInfo}
	if reached, err := read(t, nil, ""); err != nil || !reflect.DeepEqual(reached, want) {
		t.Errorf("%+v %v", reached, err)
	}
}

func TestAFlagWinsOverTheEnvironmentAndThatOverTheFile(t *testing.T) {
	file := yamlFile(t, "data: from-file\nlisten: 127.0.0.1:1\nseed: 3\nno-demo: true\nlog-format: json\n")
	environ := []string{"NEAP_DATA=from-env", "NEAP_LISTEN=127.0.0.1:2", "NEAP_LOG_LEVEL=debug", "NEAP_TOKEN=unrelated", "NEAPOLITAN=1"}
	want := Up{Data: "from-flag", Listen: "127.0.0.1:2", Cloud: "sim", AWSQueue: "neap-notices", Drain: time.Second, KeepLogs: 90, KeepDecisions: 30, KeepLedger: 395, KeepAudit: 400, KeepDead: 30, Rate: 1, Seed: 3, LaunchRegion: "us-east-1", Jobs: Jobs{SpotQueue: "neap-spot", OnDemandQueue: "neap-on-demand", host: true}, NoDemo: true, LogFormat: "json", LogLevel: slog.LevelDebug}
	if reached, err := read(t, environ, file, "--data", "from-flag"); err != nil || !reflect.DeepEqual(reached, want) {
		t.Errorf("%+v %v", reached, err)
	}
	if reached, err := read(t, append(environ, "NEAP_CONFIG="+file), ""); err != nil || reached.Data != "from-env" || reached.Seed != 3 {
		t.Errorf("%+v %v", reached, err)
	}
}

func TestEveryFlagOfUpCanBeSetByFileAndEnvironment(t *testing.T) {
	want := Up{Data: "d", Listen: "127.0.0.1:9", Database: "postgres://neap@127.0.0.1/neap", KeyFile: "k", PublicURL: "https://neap.example.com", Domain: "example.com", Hosts: hosts{"neap", "neap.internal"}, LaunchListen: "127.0.0.1:8", LaunchRegion: "eu-west-1", LaunchEC2Time: true, Cloud: "aws", Spend: 12_500_000, spend: "12.50", GroupSpend: 3_000_000, groupSpend: "3", AWSQueue: "q", AWSEndpoint: endpoints{"": "http://127.0.0.1:1", "sts": "http://127.0.0.1:5"}, GCPTokenURL: "http://127.0.0.1:2", AzureLoginURL: "http://127.0.0.1:3", AzureManagementURL: "http://127.0.0.1:4", Drain: 3 * time.Second, KeepLogs: 7, KeepDecisions: 0, KeepLedger: 800, KeepAudit: 0, KeepDead: 12, Rate: 60, Outbound: networks{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")}, Seed: -4, Jobs: Jobs{VCPUs: 1.5, MemoryMiB: 512, User: "u", Images: "i", Docker: "s", Network: "none", SpotQueue: "a", OnDemandQueue: "b"}, NoDemo: true, LogFormat: "json", LogLevel: slog.LevelWarn}
	file := yamlFile(t, "data: d\nlisten: 127.0.0.1:9\ndatabase: postgres://neap@127.0.0.1/neap\nkey-file: k\npublic-url: https://neap.example.com\ndomain: example.com\nhost: [neap, neap.internal]\nlaunch-listen: 127.0.0.1:8\nlaunch-region: eu-west-1\nlaunch-ec2-time: true\ncloud: aws\nspend-limit: \"12.50\"\ngroup-spend-limit: 3\naws-queue: q\naws-endpoint: [\"http://127.0.0.1:1\", \"sts=http://127.0.0.1:5\"]\ngcp-token-url: http://127.0.0.1:2\nazure-login-url: http://127.0.0.1:3\nazure-management-url: http://127.0.0.1:4\ndrain: 3s\nretention-logs: 7\nretention-decisions: 0\nretention-ledger: 800\nretention-audit: 0\nretention-dead: 12\nallow-outbound: [10.1.0.0/16, \"fd00::/8\"]\njob-vcpus: 1.5\njob-memory: 512\nhost-jobs: false\njob-user: u\njob-images: i\ndocker: s\ndocker-network: none\nbatch-spot-queue: a\nbatch-on-demand-queue: b\nrate: 60\nseed: -4\nno-demo: true\nlog-format: json\nlog-level: warn\n")
	if reached, err := read(t, nil, file); err != nil || !reflect.DeepEqual(reached, want) {
		t.Errorf("file: %+v %v", reached, err)
	}
	environ := []string{"NEAP_DATA=d", "NEAP_LISTEN=127.0.0.1:9", "NEAP_DATABASE=postgres://neap@127.0.0.1/neap", "NEAP_KEY_FILE=k", "NEAP_PUBLIC_URL=https://neap.example.com", "NEAP_DOMAIN=example.com", "NEAP_HOST=neap,neap.internal", "NEAP_LAUNCH_LISTEN=127.0.0.1:8", "NEAP_LAUNCH_REGION=eu-west-1", "NEAP_LAUNCH_EC2_TIME=true", "NEAP_CLOUD=aws", "NEAP_SPEND_LIMIT=12.50", "NEAP_GROUP_SPEND_LIMIT=3", "NEAP_AWS_QUEUE=q", "NEAP_AWS_ENDPOINT=http://127.0.0.1:1,sts=http://127.0.0.1:5", "NEAP_GCP_TOKEN_URL=http://127.0.0.1:2", "NEAP_AZURE_LOGIN_URL=http://127.0.0.1:3", "NEAP_AZURE_MANAGEMENT_URL=http://127.0.0.1:4", "NEAP_DRAIN=3s", "NEAP_RETENTION_LOGS=7", "NEAP_RETENTION_DECISIONS=0", "NEAP_RETENTION_LEDGER=800", "NEAP_RETENTION_AUDIT=0", "NEAP_RETENTION_DEAD=12", "NEAP_ALLOW_OUTBOUND=10.1.0.0/16,fd00::/8", "NEAP_JOB_VCPUS=1.5", "NEAP_JOB_MEMORY=512", "NEAP_HOST_JOBS=false", "NEAP_JOB_USER=u", "NEAP_JOB_IMAGES=i", "NEAP_DOCKER=s", "NEAP_DOCKER_NETWORK=none", "NEAP_BATCH_SPOT_QUEUE=a", "NEAP_BATCH_ON_DEMAND_QUEUE=b", "NEAP_RATE=60", "NEAP_SEED=-4", "NEAP_NO_DEMO=true", "NEAP_LOG_FORMAT=json", "NEAP_LOG_LEVEL=warn"}
	if reached, err := read(t, environ, ""); err != nil || !reflect.DeepEqual(reached, want) {
		t.Errorf("environment: %+v %v", reached, err)
	}
}

func TestSettingsThatCannotBeUsedAreRefusedByName(t *testing.T) {
	for _, c := range []struct {
		name, file string
		environ    []string
		args       []string
		wants      []string
	}{
		{name: "an unknown key, with the nearest known one", file: "lisen: 127.0.0.1:1\n", wants: []string{"lisen: ", `did you mean "listen"?`, "neap.yaml"}},
		{name: "a key that resembles none", file: "frobnication-threshold: 1\n", wants: []string{"it knows allow-outbound, aws-endpoint, aws-queue, azure-login-url,"}},
		{name: "a nested key", file: "log:\n  format: json\n", wants: []string{"log.format: ", `did you mean "log-format"?`}},
		{name: "a value of the wrong type in the file", file: "rate: fast\n", wants: []string{`rate: `, `"fast"`, "neap.yaml"}},
		{name: "a value of the wrong type in the environment", environ: []string{"NEAP_NO_DEMO=perhaps"}, wants: []string{"no-demo: the environment says \"perhaps\""}},
		{name: "several at once", file: "lisen: a\nrate: 0\nlog-format: xml\n", wants: []string{"lisen: ", "rate: 0 is not above 0", `"xml" is neither text nor json`}},
		{name: "an address with a password", environ: []string{"NEAP_AWS_ENDPOINT=http://me:secret@127.0.0.1"}, wants: []string{"aws-endpoint: "}},
		{name: "a listener without a port", args: []string{"--listen", "localhost"}, wants: []string{"listen: "}},
		{name: "limits that are no money", args: []string{"--spend-limit", "0", "--group-spend-limit", "much"}, wants: []string{`spend-limit: "0" is not an amount`, `group-spend-limit: "much" is not an amount`}},
		{name: "no data folder", args: []string{"--data", ""}, wants: []string{"data: Name a folder."}},
		{name: "a log level that is none", environ: []string{"NEAP_LOG_LEVEL=loud"}, wants: []string{`log-level: `, "debug, info, warn or error"}},
		{name: "a file that is no YAML", file: "{", wants: []string{"cannot be read"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := ""
			if c.file != "" {
				path = yamlFile(t, c.file)
			}
			_, err := read(t, c.environ, path, c.args...)
			if !fault.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			for _, want := range c.wants {
				if got := said(err); !strings.Contains(got, want) {
					t.Errorf("%q is missing in %q", want, got)
				}
			}
		})
	}
	if _, err := read(t, nil, filepath.Join(t.TempDir(), "none.yaml")); !fault.Is(err, fault.Invalid) || !strings.Contains(said(err), "There is no configuration file") {
		t.Error(err)
	}
}

func TestAPasswordInADatabaseURLIsNeverRepeated(t *testing.T) {
	for _, url := range []string{"mysql://neap:hunter2@127.0.0.1/x", "postgres://neap:hunter2@[::1/x"} {
		if _, err := read(t, nil, "", "--database", url); !fault.Is(err, fault.Invalid) || strings.Contains(said(err), "hunter2") {
			t.Error(err)
		}
	}
}
