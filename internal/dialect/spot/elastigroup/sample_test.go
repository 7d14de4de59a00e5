package elastigroup

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/op"
)

var update = flag.Bool("update", false, "write testdata/group-corrected.json anew")

func form() Form { return NewForm(catalog.AWS()) }

func read(t testing.TB, file string) []byte {
	t.Helper()
	content, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// correction is one place where the published sample breaks a published rule.
type correction struct{ fault, set, to, rule string }

func corrections(t testing.TB) []correction {
	t.Helper()
	var list []correction
	for _, line := range strings.Split(strings.TrimSpace(string(read(t, "corrections.tsv"))), "\n")[1:] {
		cells := strings.Split(line, "\t")
		if len(cells) != 4 {
			t.Fatalf("bad line %q", line)
		}
		list = append(list, correction{cells[0], cells[1], cells[2], cells[3]})
	}
	return list
}

// change puts a JSON value at a path ("group.tags[0].tagKey") of a decoded document; "-" removes what is there.
func change(t testing.TB, value any, path, to string) any {
	t.Helper()
	step, rest, _ := strings.Cut(path, ".")
	if bracket := strings.IndexByte(step, '['); bracket > 0 {
		step, rest = step[:bracket], strings.TrimPrefix(path[bracket:], ".")
	} else if bracket == 0 {
		index, err := strconv.Atoi(strings.Trim(step, "[]"))
		list, isList := value.([]any)
		if err != nil || !isList || index >= len(list) {
			t.Fatalf("no %q in %v", path, value)
		}
		if rest == "" {
			list[index] = decoded(t, to)
		} else {
			list[index] = change(t, list[index], rest, to)
		}
		return list
	}
	object, isObject := value.(map[string]any)
	if !isObject {
		if value != nil {
			t.Fatalf("no object at %q", path)
		}
		object = map[string]any{}
	}
	switch {
	case rest != "":
		object[step] = change(t, object[step], rest, to)
	case to == "-":
		delete(object, step)
	default:
		object[step] = decoded(t, to)
	}
	return object
}

func decoded(t testing.TB, text string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}

func encoded(t testing.TB, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// corrected is the full sample with every correction made, as the body of a request.
func corrected(t testing.TB) []byte {
	t.Helper()
	body := decoded(t, string(read(t, "samples/create-elastigroup-aws.request.json")))
	for _, c := range corrections(t) {
		body = change(t, body, c.set, c.to)
	}
	return encoded(t, body)
}

func groupOf(t testing.TB, body []byte) json.RawMessage {
	t.Helper()
	group, err := unwrapped(body)
	if err != nil {
		t.Fatal(err)
	}
	return group
}

func fieldsOf(err error) []string {
	var fields []string
	if err != nil {
		first := fault.As(err)
		for _, one := range append([]*fault.Error{first}, first.Others...) {
			fields = append(fields, one.Field)
		}
	}
	slices.Sort(fields)
	return fields
}

func TestTheRawSampleIsRefusedNamingEachFault(t *testing.T) {
	raw := read(t, "samples/create-elastigroup-aws.request.json")
	if err := checker(t).Validate("group-create", raw); err != nil {
		t.Fatalf("the sample has the documented types: %v", err)
	}
	var want []string
	for _, c := range corrections(t) {
		want = append(want, c.fault)
	}
	slices.Sort(want)
	_, _, _, err := form().Compile(groupOf(t, raw))
	if got := fieldsOf(err); !slices.Equal(got, want) {
		t.Errorf("refused for\n%s\nwant\n%s\n%v", strings.Join(got, "\n"), strings.Join(want, "\n"), err)
	}
}

func TestEachCorrectionIsNeeded(t *testing.T) {
	for i, c := range corrections(t) {
		body := decoded(t, string(read(t, "samples/create-elastigroup-aws.request.json")))
		for j, other := range corrections(t) {
			if i != j && other.set != c.set {
				body = change(t, body, other.set, other.to)
			}
		}
		_, _, _, err := form().Compile(groupOf(t, encoded(t, body)))
		if !slices.Contains(fieldsOf(err), c.fault) {
			t.Errorf("without the correction of %s: %v", c.fault, err)
		}
	}
}

func TestTheCorrectedSampleIsAcceptedAndEchoed(t *testing.T) {
	body := corrected(t)
	if err := checker(t).Validate("group-create", body); err != nil {
		t.Fatal(err)
	}
	document := groupOf(t, body)
	_, name, kept, err := form().Compile(document)
	if err != nil {
		t.Fatal(err)
	}
	if name != "my-Elastigroup" {
		t.Errorf("named %q", name)
	}
	for _, path := range []string{
		"group.strategy.signals", "group.strategy.persistence", "group.compute.elasticIps", "group.compute.volumeAttachments",
		"group.compute.launchSpecification.itf", "group.compute.launchSpecification.images", "group.scaling.up", "group.scheduling.tasks",
		"group.thirdPartiesIntegration.ecs", "group.logging.export", "group.compute.availabilityZones[].placementGroupName",
		"group.compute.instanceTypes.resourceRequirements",
	} {
		if !slices.Contains(kept, path) {
			t.Errorf("nobody is told that %s has no effect yet; told are %v", path, kept)
		}
	}

	now := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	item := itemOf(fleet.Group{ID: "sig-1a2b3c4d", Document: document, Created: now, Updated: now})
	echoed := decoded(t, string(item)).(map[string]any)
	if echoed["id"] != "sig-1a2b3c4d" || echoed["createdAt"] != "2024-05-01T00:00:00.000Z" || echoed["updatedAt"] != "2024-05-01T00:00:00.000Z" {
		t.Errorf("the server's members are wrong: %s", item)
	}
	for _, member := range []string{"id", "createdAt", "updatedAt"} {
		delete(echoed, member)
	}
	if sent := decoded(t, string(document)); !reflect.DeepEqual(sent, any(echoed)) {
		t.Errorf("echoed %s\nwant %s", item, document)
	}
	if !bytes.HasPrefix(item, bytes.TrimSuffix(document, []byte("}"))) {
		t.Error("the document is not echoed byte for byte")
	}
}

// The corrected sample is kept as a file for clients that are tested against the running server.
func TestTheCorrectedSampleOnFileIsUpToDate(t *testing.T) {
	var want bytes.Buffer
	if err := json.Indent(&want, corrected(t), "", " "); err != nil {
		t.Fatal(err)
	}
	want.WriteByte('\n')
	if *update {
		if err := os.WriteFile("testdata/group-corrected.json", want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, "group-corrected.json"); !bytes.Equal(got, want.Bytes()) {
		t.Error("testdata/group-corrected.json is stale: run this test with -update")
	}
}

func checker(t testing.TB) *op.Schemas {
	t.Helper()
	schemas, err := op.NewSchemas(Schemas())
	if err != nil {
		t.Fatal(err)
	}
	return schemas
}

func BenchmarkValidatingAFullGroup(b *testing.B) {
	body, schemas := corrected(b), checker(b)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if err := schemas.Validate("group-create", body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompilingAFullGroup(b *testing.B) {
	document, form := groupOf(b, corrected(b)), form()
	for b.Loop() {
		if _, _, _, err := form.Compile(document); err != nil {
			b.Fatal(err)
		}
	}
}
