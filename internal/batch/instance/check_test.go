package instance

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

func TestWhatCanNeverWorkIsRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	w := begin(t, func(o *options) { o.idle = true })
	for name, c := range map[string]struct {
		change func(*runtime.Spec)
		want   string
	}{
		"an unknown region":        {func(s *runtime.Spec) { s.Place.Region = "mars-1" }, `no region "mars-1"`},
		"no region":                {func(s *runtime.Spec) { s.Place.Region = "" }, "no region"},
		"an unknown type":          {func(s *runtime.Spec) { s.InstanceType = "c5.gigantic" }, `"c5.gigantic" is not sold in us-east-1`},
		"a malformed image":        {func(s *runtime.Spec) { s.Image = "ubuntu:24.04" }, `"ubuntu:24.04" is not written like one`},
		"an image of odd length":   {func(s *runtime.Spec) { s.Image = "ami-0123456789" }, "is not written like one"},
		"no image":                 {func(s *runtime.Spec) { s.Image = "" }, "is not written like one"},
		"another cloud":            {func(s *runtime.Spec) { s.Place.Cloud = "azure" }, `not on "azure"`},
		"no account":               {func(s *runtime.Spec) { s.Place.Account = "" }, "needs an account"},
		"a command":                {func(s *runtime.Spec) { s.Command = []string{"true"} }, "takes no command"},
		"too many user data":       {func(s *runtime.Spec) { s.UserData = strings.Repeat("x", 16<<10+1) }, "16385 bytes"},
		"a malformed id":           {func(s *runtime.Spec) { s.ID = "a/b" }, "task id"},
		"more than the type has":   {func(s *runtime.Spec) { s.Resources.MilliCPU = 2001 }, "less than asked for"},
		"memory that it lacks":     {func(s *runtime.Spec) { s.Resources.MemoryMiB = 1 << 20 }, "less than asked for"},
		"GPUs that it lacks":       {func(s *runtime.Spec) { s.Resources.GPUs = 1 }, "less than asked for"},
		"a tag of the cloud's own": {func(s *runtime.Spec) { s.Labels = map[string]string{"AWS:x": "y"} }, "no key that an instance takes"},
		"a tag of Neap's own":      {func(s *runtime.Spec) { s.Labels = map[string]string{"neap:owner": "y"} }, "no key that an instance takes"},
		"a tag that is too long":   {func(s *runtime.Spec) { s.Labels = map[string]string{"k": strings.Repeat("y", 257)} }, "longer than 256"},
		"too many tags": {func(s *runtime.Spec) {
			s.Labels = map[string]string{}
			for n := range 41 {
				s.Labels[fmt.Sprint(n)] = ""
			}
		}, "takes 40 tags"},
	} {
		s := spec("x", "acc-1")
		c.change(&s)
		for call, err := range map[string]error{"Check": w.Check(t.Context(), s), "Start": w.Start(t.Context(), s)} {
			refusal, is := errors.AsType[*runtime.Refusal](err)
			if !is || refusal.Kind != runtime.Never || !strings.Contains(refusal.Message, c.want) {
				t.Errorf("%s: %s says %v", name, call, err)
			}
		}
	}
	rows, _, err := tasks.List(t.Context(), w.DB, store.Installation(), store.Query{})
	if err != nil || len(rows) > 0 {
		t.Errorf("what was refused is on record: %v, %v", rows, err)
	}
}

func TestASpecIsGivenTheUsualTypeAndAllZonesThatSellIt(t *testing.T) {
	t.Parallel()
	w := begin(t, func(o *options) { o.idle = true })
	s := spec("x", "acc-1")
	s.InstanceType = ""
	if err := w.Check(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	asked, err := w.asking(s)
	offer, _ := w.Catalog.Offer("us-east-1", "Linux/UNIX", DefaultType)
	if err != nil || asked.Type != DefaultType || len(asked.Zones) != len(offer.Zones) || len(asked.Zones) < 3 {
		t.Errorf("%+v, %v", asked, err)
	}
}

func TestATaskWhoseUserDataCannotBeSealedIsNotBegun(t *testing.T) {
	t.Parallel()
	w := begin(t, func(o *options) { o.idle = true })
	s := spec("x", "acc-1")

	w.Form.Secrets = brokenSealer{}
	w.Runtime.Form = w.Form
	if err := w.Start(t.Context(), s); err == nil {
		t.Fatal("it was begun without its user data")
	}
	if found, err := w.Tasks(t.Context(), []string{"x"}); err != nil || len(found) > 0 {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := w.Fleet.Get(t.Context(), "acc-1", GroupOf("x")); err == nil {
		t.Error("it has a group")
	}
}

type brokenSealer struct{ Sealer }

func (brokenSealer) Seal([]byte, string) ([]byte, error) { return nil, errors.New("no key") }
