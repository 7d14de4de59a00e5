package form

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/runtime"
)

type fataler interface {
	Helper()
	Fatal(...any)
}

// reader understands documents as the operation does: by the schema, and then by Parse.
func reader(t fataler) func(document string) (batch.Submission, error) {
	t.Helper()
	known, err := op.NewSchemas(Schemas(fstest.MapFS{"other.json": {Data: []byte(`{"type":"object"}`)}}))
	if err != nil {
		t.Fatal(err)
	}
	if err := known.Validate("other", []byte(`[]`)); err == nil {
		t.Fatal("the dialect's own schema is lost")
	}
	return func(document string) (batch.Submission, error) {
		if err := known.Validate("job", []byte(document)); err != nil {
			return batch.Submission{}, err
		}
		return Parse([]byte(document))
	}
}

// with is a document of the four members that every job has, and others.
func with(others string) string {
	if others != "" {
		others = "," + others
	}
	return `{"customer":"lightning","cloud":"aws","region":"us-east-1","id":"Transcode_23"` + others + `}`
}

func TestSubmissionsAreUnderstood(t *testing.T) {
	read := reader(t)
	job := func(change func(*batch.Submission)) batch.Submission {
		s := batch.Submission{Customer: "lightning", Class: "Transcode_23", Cloud: "aws", Region: "us-east-1", Image: "i"}
		change(&s)
		return s
	}
	for others, want := range map[string]batch.Submission{
		`"image":"i"`: job(func(*batch.Submission) {}),
		`"image":"i","command":["a b",""],"env":{"A":"x","B":1.50,"c.d-E":true,"_":12345678901234567890,"F":""}`: job(func(s *batch.Submission) {
			s.Command, s.Env = []string{"a b", ""}, map[string]string{"A": "x", "B": "1.50", "c.d-E": "true", "_": "12345678901234567890", "F": ""}
		}),
		`"image":"i","resources":{"vcpus":0.29,"memory":512,"gpu":1}`: job(func(s *batch.Submission) {
			s.Resources = runtime.Resources{MilliCPU: 290, MemoryMiB: 512, GPUs: 1}
		}),
		`"image":"i","resources":{"vcpus":1.1,"memory":2e3}`: job(func(s *batch.Submission) { s.Resources = runtime.Resources{MilliCPU: 1100, MemoryMiB: 2000} }),
		`"image":"i","priority":"HIGH","timeout":3600.0`:     job(func(s *batch.Submission) { s.Priority, s.Timeout = batch.High, time.Hour }),
		`"image":"i","queue":"arn:aws:batch:us-east-1:1:job-queue/low","priority":"LOW"`: job(func(s *batch.Submission) {
			s.Queue, s.Priority = "arn:aws:batch:us-east-1:1:job-queue/low", batch.Low
		}),
		`"image":"i","tags":{"team":"media","n":1,"x":true}`: job(func(s *batch.Submission) {
			s.Tags = map[string]any{"team": "media", "n": json.Number("1"), "x": true}
		}),
		`"ami":"ami-0a1b2c3d","user_data":"#!/bin/sh\ntrue\n","resources":{"instance_type":"c5.large"}`: job(func(s *batch.Submission) {
			s.Image, s.AMI, s.UserData, s.InstanceType = "", "ami-0a1b2c3d", "#!/bin/sh\ntrue\n", "c5.large"
		}),
		`"image":"i","deadline":1569405600000.9,"expected":90.5,"checkpoint":true`: job(func(s *batch.Submission) {
			s.Deadline, s.Expected, s.Checkpoint = time.UnixMilli(1569405600000).UTC(), 90*time.Second+500*time.Millisecond, true
		}),
		// null and an empty text are nothing, and so is what is unknown, in whatever case.
		`"image":"i","ami":null,"command":null,"env":null,"tags":null,"resources":null,"user_data":null,"priority":null,"queue":null,"timeout":null,"deadline":null,"expected":null,"checkpoint":null`: job(func(*batch.Submission) {}),
		`"image":"i","ami":"","command":[],"user_data":"","priority":"","queue":"","resources":{"vcpus":null,"memory":null,"gpu":null,"instance_type":""}`:                                             job(func(*batch.Submission) {}),
		`"image":"i","IMAGE":7,"Timeout":"x","AMI":"ami-1","colour":{"a":[1]},"resources":{"VCPUS":-1}`:                                                                                                job(func(*batch.Submission) {}),
	} {
		if got, err := read(with(others)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", others, err, got, want)
		}
	}
}

func TestMalformedSubmissionsAreRefusedByTheirMembers(t *testing.T) {
	read := reader(t)
	long := func(n int) string { return strings.Repeat("a", n) }
	many := func(n int, one string) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(one, i))
		}
		return strings.Join(all, ",")
	}
	for _, c := range []struct{ document, fields string }{
		{`{}`, "cloud customer id region"},
		{`{"customer":7,"cloud":7,"region":7,"id":7}`, "cloud customer id region"},
		{`{"customer":"","cloud":"gcp","region":"","id":null}`, "cloud customer id region"},
		{`{"customer":" a","cloud":"aws","region":"us east","id":"a\tb","image":"i"}`, "region"},
		{`{"customer":" a","cloud":"aws","region":"us-east-1","id":"a\tb","image":"i\u00a0"}`, "customer id image"},
		{`{"customer":"` + long(129) + `","cloud":"aws","region":"` + long(65) + `","id":"` + long(129) + `","image":"` + long(1025) + `"}`, "customer id image region"},
		{with(``), "image"},
		{with(`"image":"","ami":null`), "image"},
		{with(`"image":"a","ami":"ami-1"`), "image"},
		{with(`"image":7`), "image"},
		{with(`"ami":"a b"`), "ami"},
		{with(`"ami":["ami-1"]`), "ami"},
		{with(`"ami":"ami-1","command":["x"]`), "command"},
		{with(`"image":"i","user_data":"#!x"`), "user_data"},
		{with(`"image":"i","user_data":" "`), "user_data"},
		{with(`"image":"i","command":"x"`), "command"},
		{with(`"image":"i","command":["x",7]`), "command[1]"},
		{with(`"image":"i","command":[` + many(1001, `"%d"`) + `]`), "command"},
		{with(`"image":"i","command":["` + long(32<<10) + `"]`), "command"},
		{with(`"image":"i","env":["A=1"]`), "env"},
		{with(`"image":"i","env":{"A":null}`), "env.A"},
		{with(`"image":"i","env":{"A":{"x":1}}`), "env.A"},
		{with(`"image":"i","env":{"":"x"}`), "env"},
		{with(`"image":"i","env":{"A=B":"x"}`), "env"},
		{with(`"image":"i","env":{"1A":"x"}`), "env"},
		{with(`"image":"i","env":{"` + long(256) + `":"x"}`), "env"},
		{with(`"image":"i","env":{` + many(1001, `"A%d":1`) + `}`), "env"},
		{with(`"image":"i","env":{"A":"` + long(16<<10) + `","B":"` + long(16<<10) + `"}`), "env"},
		{with(`"image":"i","tags":"a"`), "tags"},
		{with(`"image":"i","tags":{"a":[1]}`), "tags.a"},
		{with(`"image":"i","tags":{"":1}`), "tags"},
		{with(`"image":"i","tags":{"a":"` + long(257) + `"}`), "tags.a"},
		{with(`"image":"i","tags":{` + many(51, `"t%d":1`) + `}`), "tags"},
		{with(`"image":"i","resources":[]`), "resources"},
		{with(`"image":"i","resources":{"vcpus":0,"memory":0,"gpu":-1}`), "resources.gpu resources.memory resources.vcpus"},
		{with(`"image":"i","resources":{"vcpus":-0.5,"memory":-1,"gpu":0.5}`), "resources.gpu resources.memory resources.vcpus"},
		{with(`"image":"i","resources":{"vcpus":10000.001,"memory":1e12,"gpu":1e9}`), "resources.gpu resources.memory resources.vcpus"},
		{with(`"image":"i","resources":{"vcpus":0.0009,"memory":0.5,"gpu":"1"}`), "resources.gpu resources.memory resources.vcpus"},
		{with(`"image":"i","resources":{"vcpus":1e999}`), "resources.vcpus"},
		{with(`"ami":"ami-1","resources":{"vcpus":"NaN","instance_type":"c5 large"}`), "resources.instance_type resources.vcpus"},
		{with(`"image":"i","priority":"high"`), "priority"},
		{with(`"image":"i","priority":1`), "priority"},
		{with(`"image":"i","queue":{"name":"x"}`), "queue"},
		{with(`"image":"i","queue":"x\n"`), "queue"},
		{with(`"image":"i","timeout":-1`), "timeout"},
		{with(`"image":"i","timeout":1.5`), "timeout"},
		{with(`"image":"i","timeout":"60"`), "timeout"},
		{with(`"image":"i","timeout":1e12`), "timeout"},
		{with(`"image":"i","deadline":1569405600000`), "expected"},
		{with(`"image":"i","deadline":"tomorrow","expected":0,"checkpoint":"yes"`), "checkpoint deadline expected"},
		{with(`"image":"i","deadline":1e18,"expected":-1`), "deadline expected"},
		{with(`"ami":"ami-1","user_data":7`), "user_data"},
		{with(`"ami":"ami-1","user_data":"echo hi"`), "user_data"},
		{with(`"ami":"ami-1","user_data":"#!` + long(16<<10) + `"`), "user_data"},
		{with(`"ami":"ami-1","user_data":"` + base64.StdEncoding.EncodeToString(make([]byte, 16<<10+1)) + `"`), "user_data"},
		{with(`"ami":"ami-1","image":"a","command":[""],"user_data":"?"`), "user_data image command user_data"},
	} {
		_, err := read(c.document)
		var fields []string
		if err != nil {
			for _, one := range append([]*fault.Error{fault.As(err)}, fault.As(err).Others...) {
				fields = append(fields, one.Field)
			}
		}
		if got := strings.Join(fields, " "); !fault.Is(err, fault.Invalid) || got != c.fields {
			t.Errorf("%.120s: refused for %q, want %q: %v", c.document, got, c.fields, err)
		}
	}
}

func TestUserDataArriveAsTheyWereMeant(t *testing.T) {
	pack := base64.StdEncoding.EncodeToString
	binary := "\x1f\x8b\x08\x00\xff\xfe"
	for text, want := range map[string]string{
		"":                        "",
		"#!/bin/sh\nexit 0\n":     "#!/bin/sh\nexit 0\n",
		"#cloud-config\nusers: 0": "#cloud-config\nusers: 0",
		"#include\nhttp://x":      "#include\nhttp://x",
		"## template: jinja\n#!":  "## template: jinja\n#!",
		"Content-Type: multipart/mixed; boundary=x\nMIME-Version: 1.0\n": "Content-Type: multipart/mixed; boundary=x\nMIME-Version: 1.0\n",
		"content-type: text/x":            "content-type: text/x",
		"<powershell>dir</powershell>":    "<powershell>dir</powershell>",
		"<script>dir</script>":            "<script>dir</script>",
		pack([]byte("#!/bin/sh")):         "#!/bin/sh",
		" " + pack([]byte("text")) + "\n": "text",
		pack([]byte(binary)):              binary,
		pack([]byte(strings.Repeat("a", 60)))[:76] + "\n" + pack([]byte(strings.Repeat("a", 60)))[76:]: strings.Repeat("a", 60),
	} {
		if got, err := userData(text); err != nil || got != want {
			t.Errorf("%q is %q, want %q: %v", text, got, want, err)
		}
	}
	for _, text := range []string{"echo hi", "# a remark", "aGk", "aGk=\x00", "a-_=", "=", "#", "runcmd:\n- x"} {
		if got, err := userData(text); err == nil {
			t.Errorf("%q is taken as %q", text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		meant := string(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "meant"))
		if got, err := userData(pack([]byte(meant))); err != nil || got != meant {
			t.Fatalf("%q arrives as %q, %v", meant, got, err)
		}
	})
}

const canary = "CANARY0815"

// anything draws a value for a member, often of the right type.
func anything(t *rapid.T) any {
	return rapid.OneOf(
		rapid.SampledFrom([]any{nil, true, "", "i", "#!" + canary, "HIGH", "aws", []any{}, []any{"a"}, []any{canary, 1.0}, map[string]any{}}),
		rapid.Map(rapid.SampledFrom([]any{canary, 815.0, []any{canary}, false, nil, map[string]any{canary: canary}}), func(v any) any { return map[string]any{"A": v, "B": "x"} }),
		rapid.Map(rapid.String(), func(s string) any { return s }),
		rapid.Map(rapid.Float64(), func(f float64) any { return f }),
		rapid.Map(rapid.IntRange(-2, 5000), func(n int) any { return n }),
		rapid.Map(rapid.MapOf(rapid.SampledFrom([]string{"vcpus", "memory", "gpu", "instance_type"}), rapid.Float64Range(-1, 1e5)), func(m map[string]float64) any { return m }),
	).Draw(t, "value")
}

func TestAnyDocumentIsEitherASaneJobOrRefusedByName(t *testing.T) {
	read := reader(t)
	names := []string{"image", "ami", "command", "env", "user_data", "tags", "resources", "priority", "queue", "timeout", "deadline", "expected", "checkpoint", "customer", "other"}
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		document := map[string]any{"customer": "c", "cloud": "aws", "region": "r", "id": "l", rapid.SampledFrom([]string{"image", "ami"}).Draw(t, "kind"): "i"}
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 5, rapid.ID[string]).Draw(t, "names") {
			document[name] = anything(t)
		}
		text, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		s, err := read(string(text))
		if err != nil {
			if refused := fault.As(err); refused.Kind != fault.Invalid || refused.Field == "" {
				t.Fatalf("%s: %v", text, err)
			}
			if _, is := document["env"]; is && slices.ContainsFunc(sentencesOf(err), func(s string) bool { return strings.HasPrefix(s, "env") && strings.Contains(s, "815") }) {
				t.Fatalf("%s: the refusal repeats a variable: %v", text, err)
			}
			return
		}
		taken++
		if wrong := insane(s); wrong != "" {
			t.Fatalf("%s is taken as %+v: %s", text, s, wrong)
		}
	})
	if taken == 0 {
		t.Error("nothing that was drawn is a job")
	}
}

// sentencesOf are those of a refusal, each behind its field.
func sentencesOf(err error) (all []string) {
	for _, one := range append([]*fault.Error{fault.As(err)}, fault.As(err).Others...) {
		all = append(all, one.Field+" "+one.Message)
	}
	return all
}

// insane says what no job may be.
func insane(s batch.Submission) string {
	size := 0
	for name, value := range s.Env {
		size += len(name) + len(value)
	}
	switch {
	case (s.Image == "") == (s.AMI == ""):
		return "an image and an ami, or neither"
	case s.AMI != "" && len(s.Command) > 0, s.Image != "" && s.UserData != "":
		return "what belongs to the other kind"
	case s.Resources.MilliCPU < 0 || s.Resources.MilliCPU > 10_000_000 || s.Resources.MemoryMiB < 0 || s.Resources.GPUs < 0:
		return "resources"
	case s.Timeout < 0 || s.Timeout%time.Second != 0 || s.Expected < 0 || !s.Deadline.IsZero() && s.Expected == 0:
		return "times"
	case size > mostEnv || len(s.UserData) > mostUserData || len(s.Env) > 1000:
		return "too large"
	}
	return ""
}

func FuzzSubmissionsAreNeverOurOwnFault(f *testing.F) {
	for _, others := range []string{`"image":"i"`, `"ami":"a","user_data":"IyE="`, `"image":"i","env":{"A":1}`, `"image":"i","resources":{"vcpus":1e3}`, `"image":"i","timeout":1e2`} {
		f.Add(with(others))
	}
	read := reader(f)
	f.Fuzz(func(t *testing.T, document string) {
		s, err := read(document)
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", document, err)
		}
		if wrong := insane(s); err == nil && wrong != "" {
			t.Errorf("%q is %+v: %s", document, s, wrong)
		}
	})
}
