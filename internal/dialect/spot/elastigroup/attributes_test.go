package elastigroup

import (
	"testing"

	"github.com/neap-cloud/neap/internal/op"
)

func TestConditionsCanAskForTheNameAndTheTagsOfAGroup(t *testing.T) {
	const document = `{"name":"web","compute":{"launchSpecification":{"tags":[{"tagKey":"Team","tagValue":"red"},{"tagKey":"Empty"}]}}}`
	ofBody, err := dialect{}.ofGroup(t.Context(), "act-1", "", op.Document(`{"group":`+document+`}`))
	if err != nil {
		t.Fatal(err)
	}
	for where, attributes := range map[string]op.Attributes{"a body": ofBody, "what is stored": lazily([]byte(document))} {
		for attribute, want := range map[string]string{"spot:elastigroup:name": "web", "spot:elastigroup:tags/Team": "red", "spot:elastigroup:tags/Empty": ""} {
			if got, is := attributes(attribute); !is || got != want {
				t.Errorf("%s of %s is %q (%v), want %q", attribute, where, got, is, want)
			}
		}
		for _, attribute := range []string{"spot:elastigroup:tags/team", "spot:elastigroup:tags/", "spot:elastigroup:colour", "spot:ocean:name", ""} {
			if got, is := attributes(attribute); is {
				t.Errorf("%s of %s is %q, want none", attribute, where, got)
			}
		}
	}
}

func TestABodyThatNoGroupIsInHasNoAttributes(t *testing.T) {
	for _, body := range []string{"", `{}`, `{"group":null}`} {
		attributes, err := dialect{}.ofGroup(t.Context(), "act-1", "", op.Document(body))
		if err != nil {
			t.Errorf("%q: %v", body, err)
		}
		if attributes == nil {
			continue
		}
		if _, is := attributes("spot:elastigroup:tags/Team"); is {
			t.Errorf("%q has a tag", body)
		}
	}
	if _, err := (dialect{}).ofGroup(t.Context(), "act-1", "", op.Document(`{"group":{"name":7}}`)); err == nil {
		t.Error("a name that is a number is read")
	}
}
