package mapsor

import (
	"encoding/base64"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
)

// What one job may bring along, in bytes.
const (
	mostEnv      = 32 << 10
	mostCommand  = 32 << 10
	mostUserData = 16 << 10 // as EC2 takes it
)

// variable is what a variable of the environment may be called; longestTag bounds what a tag is.
var variable = regexp.MustCompile(`^[A-Za-z_.-][A-Za-z0-9_.-]{0,254}$`)

const longestTag = 128

// submission reads a job's document; the schema was held to it, and the rest is checked here. All that is wrong is told at once.
func submission(body op.Document) (batch.Submission, error) {
	in, err := membersOf(body)
	if err != nil {
		return batch.Submission{}, err
	}
	resources := in.object("resources")
	s := batch.Submission{
		Customer: in.text("customer"), Class: in.text("id"), Cloud: in.text("cloud"), Region: in.text("region"), Image: in.text("image"), Command: in.list("command"),
		Env: in.object("env").texts(), AMI: in.text("ami"), Tags: in.object("tags"), InstanceType: resources.text("instance_type"),
		Priority: batch.Priority(in.text("priority")), Queue: in.text("queue"), Timeout: seconds(in.number("timeout")),
		Expected: seconds(in.number("expected")), Checkpoint: in.isTrue("checkpoint"),
	}
	s.Resources.MilliCPU = int64(math.Round(resources.number("vcpus") * 1000))
	s.Resources.MemoryMiB = int64(resources.number("memory"))
	s.Resources.GPUs = int64(resources.number("gpu"))
	if at := in.number("deadline"); at > 0 {
		s.Deadline = moment(at)
	}
	var faults []*fault.Error
	if s.UserData, err = userData(in.text("user_data")); err != nil {
		faults = append(faults, fault.As(err))
	}
	return s, fault.All(append(faults, unfit(s, in.text("user_data"))...))
}

// unfit finds what no schema tells.
func unfit(s batch.Submission, userData string) (faults []*fault.Error) {
	wrong := func(is bool, name, format string, args ...any) {
		if is {
			faults = append(faults, fault.Field(name, format, args...))
		}
	}
	for _, given := range [][2]string{{"customer", s.Customer}, {"id", s.Class}, {"image", s.Image}, {"queue", s.Queue}} {
		wrong(!printable(given[1]), given[0], "must consist of printable characters, without blanks around them")
	}
	wrong(s.Image != "" && s.AMI != "", "image", "excludes ami: give one of them")
	wrong(s.Image == "" && s.AMI == "", "image", "or ami is required")
	wrong(s.AMI != "" && len(s.Command) > 0, "command", "is for a job with an image; an ami takes user_data")
	wrong(s.Image != "" && userData != "", "user_data", "is for a job with an ami; an image takes command and env")
	wrong(!s.Deadline.IsZero() && s.Expected == 0, "expected", "is required with deadline: say how many seconds the work takes")
	command, env := 0, 0
	for _, word := range s.Command {
		command += len(word) + 1
	}
	for name, value := range s.Env {
		env += len(name) + len(value) + 1
	}
	name, is := first(s.Env, func(name string) bool { return !variable.MatchString(name) })
	wrong(is, "env", "has a variable named %.80q; names consist of at most 255 letters, digits, _, - and ., and begin with no digit", name)
	name, is = first(s.Tags, func(name string) bool { return name == "" || len(name) > longestTag || !printable(name) })
	wrong(is, "tags", "has a tag named %.80q; names are 1 to %d printable characters without blanks around them", name, longestTag)
	wrong(command > mostCommand, "command", "has %d bytes; at most %d are accepted", command, mostCommand)
	wrong(env > mostEnv, "env", "has %d bytes of names and values together; at most %d are accepted", env, mostEnv)
	return faults
}

// first is the first name, in their order, that is wrong.
func first[V any](named map[string]V, wrong func(name string) bool) (name string, is bool) {
	names := slices.Sorted(maps.Keys(named))
	if at := slices.IndexFunc(names, wrong); at >= 0 {
		return names[at], true
	}
	return "", false
}

func printable(text string) bool {
	return text == strings.TrimSpace(text) && !strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) })
}

// userData is what an instance is to read: plain when it begins like what instances understand, else it has to be in base 64. Nothing of it is repeated in a refusal.
func userData(text string) (string, error) {
	plain := text
	if !isPlain(text) {
		decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil {
			return "", fault.Field("user_data", `must begin like a script ("#!"), a text for cloud-init ("#cloud-config"), a MIME message or a PowerShell script, or be base64 of anything else`)
		}
		plain = string(decoded)
	}
	if len(plain) > mostUserData {
		return "", fault.Field("user_data", "has %d bytes; at most %d are accepted", len(plain), mostUserData)
	}
	return plain, nil
}

// isPlain knows the beginnings of what cloud-init and EC2Launch run.
func isPlain(text string) bool {
	start := strings.ToLower(text[:min(len(text), 32)])
	for _, beginning := range []string{"#!", "#cloud-config", "#include", "#cloud-boothook", "#part-handler", "## template:", "content-type:", "mime-version:", "<powershell", "<script"} {
		if strings.HasPrefix(start, beginning) {
			return true
		}
	}
	return false
}
