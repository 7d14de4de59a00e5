package cmpute

import (
	"slices"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/op"
)

// sent is the form of a body alone; rows are asked over HTTP for what stands in queries.
func sent(t *testing.T, body string) *form {
	t.Helper()
	f, err := formOf(t.Context(), op.Document(body))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAFieldIsFoundInEverySpelling(t *testing.T) {
	for _, name := range []string{"AmiId", "AMI ID", "ami_id", "amiid", "A M I_I D"} {
		f := sent(t, `{"`+name+`":"ami-1"}`)
		if got := f.text("AmiId"); got == nil || *got != "ami-1" || f.check() != nil {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func TestFieldsAreReadAsWhatTheyAre(t *testing.T) {
	f := sent(t, `{"Text":"t","Number":7.5,"Truth":true,"Nothing":null,"Many":["a","b, c"],"Joined":"a, b,,c","None":[],"Quoted":"2","Empty":""}`)
	for name, want := range map[string]string{"text": "t", "number": "7.5", "truth": "true", "empty": ""} {
		if got := f.text(name); got == nil || *got != want {
			t.Errorf("%s is %v", name, got)
		}
	}
	if f.text("nothing") != nil || f.text("absent") != nil || f.list("nothing") != nil || f.list("absent") != nil {
		t.Error("what was not given is there")
	}
	for name, want := range map[string][]string{"many": {"a", "b, c"}, "joined": {"a", "b", "c"}, "none": {}, "text": {"t"}, "empty": {}} {
		if got := f.list(name); got == nil || !slices.Equal(got, want) {
			t.Errorf("%s is %q", name, got)
		}
	}
	for name, want := range map[string]float64{"number": 7.5, "quoted": 2, "absent": 0} {
		if got := f.number(name); got != want {
			t.Errorf("%s is %g", name, got)
		}
	}
	if err := f.check(); err != nil {
		t.Error(err)
	}
}

func TestFormsSayWhatIsWrongWithEachField(t *testing.T) {
	for body, c := range map[string]struct {
		read func(f *form)
		says string
	}{
		`{"A":{}}`:           {func(f *form) { f.text("A") }, "must be text"},
		`{"A":[]}`:           {func(f *form) { f.text("A") }, "must be text"},
		`{"A":[1]}`:          {func(f *form) { f.list("A") }, "list of texts"},
		`{"A":{"b":1}}`:      {func(f *form) { f.list("A") }, "must be text"},
		`{"A":"much"}`:       {func(f *form) { f.number("A") }, "must be a number"},
		`{"A":""}`:           {func(f *form) { f.required("A") }, "A is required"},
		`{"a":1,"A ":2}`:     {func(*form) {}, "given twice"},
		`{"B":1}`:            {func(f *form) { f.required("A") }, "A is required"},
		`{"A":null,"B":"b"}`: {func(f *form) { f.required("A") }, "A is required"},
	} {
		f := sent(t, body)
		c.read(f)
		if err := f.check(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", body, err, c.says)
		}
	}
}
