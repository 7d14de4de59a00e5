package sim

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
)

// shared is a world with a second process's view of it.
func shared(t *testing.T) (serving, ordering *Cloud) {
	t.Helper()
	tame := Tame()
	config := Config{Path: filepath.Join(t.TempDir(), "sim.db"), Clock: clock.NewManual(time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)), Seed: 5, Tuning: &tame}
	for _, view := range []**Cloud{&serving, &ordering} {
		opened, err := Open(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { opened.Close() })
		*view = opened
	}
	return serving, ordering
}

// order replaces all orders by one, and waits until the serving process has learnt of it.
func order(t *testing.T, serving, ordering *Cloud, trouble Trouble) {
	t.Helper()
	trouble.Region = "us-east-1"
	trouble.From = time.Now().Add(-time.Hour)
	if trouble.Until.IsZero() {
		trouble.Until = time.Now().Add(time.Hour)
	}
	if err := ordering.Pardon(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := ordering.Order(t.Context(), trouble); err != nil {
		t.Fatal(err)
	}
	<-time.After(rereadOrders)
	if err := serving.readOrders(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// answerTo is the code of a refusal, "no answer", or nothing.
func answerTo(err error) string {
	if r, ok := errors.AsType[*cloud.Refusal](err); ok {
		return r.Code
	}
	if fault.Is(err, fault.Unavailable) {
		return "no answer"
	}
	return ""
}

func TestTroublesOrderedThroughTheDatabaseStrikeTheProcessThatServesTheWorld(t *testing.T) {
	serving, ordering := shared(t)
	a := serving.Account("a")
	market := cloud.Market{Region: "us-east-1", Zone: "us-east-1a", Type: "m5.large", Lifecycle: cloud.Spot}
	for _, c := range []struct {
		trouble Trouble
		code    string
		started int
	}{
		{Trouble{Kind: OutageTrouble}, "no answer", 0},
		{Trouble{Kind: OutageTrouble, Call: TerminateCall}, "", 3},
		{Trouble{Kind: LostTrouble, Call: LaunchCall}, "no answer", 0},
		{Trouble{Kind: ThrottleTrouble}, "RequestLimitExceeded", 0},
		{Trouble{Kind: RoomTrouble, Pool: "/spot", Count: 1}, "InsufficientInstanceCapacity", 1},
		{Trouble{Kind: RoomTrouble, Pool: "c5.large/"}, "", 3},
		{Trouble{Kind: QuotaTrouble}, "MaxSpotInstanceCountExceeded", 0},
		{Trouble{Kind: HangTrouble, Until: time.Now().Add(-time.Second)}, "", 3},
	} {
		order(t, serving, ordering, c.trouble)
		token := string(c.trouble.Kind) + string(c.trouble.Call) + c.trouble.Pool
		got, err := a.Launch(t.Context(), cloud.Launch{Token: token, Market: market, Count: 3, Template: cloud.Template{Image: "ami-0abcdef1234567890"}})
		if answerTo(err) != c.code || len(got) != c.started {
			t.Errorf("%+v: %d started, %v", c.trouble, len(got), err)
		}
	}
	order(t, serving, ordering, Trouble{Kind: BlankTrouble})
	if seen, err := a.Describe(t.Context(), cloud.Query{Region: "us-east-1"}); err != nil || len(seen) != 0 {
		t.Errorf("a blank listing has %d instances, %v", len(seen), err)
	}
}

func TestALostReplyHidesWhatHappenedAndTheTokenFindsItAgain(t *testing.T) {
	serving, ordering := shared(t)
	a := serving.Account("a")
	request := cloud.Launch{Token: "t", Market: cloud.Market{Region: "us-east-1", Zone: "us-east-1a", Type: "m5.large", Lifecycle: cloud.Spot}, Count: 2,
		Template: cloud.Template{Image: "ami-0abcdef1234567890"}}
	order(t, serving, ordering, Trouble{Kind: LostTrouble})
	if _, err := a.Launch(t.Context(), request); err == nil {
		t.Error("the reply was not lost")
	} else if answerTo(err) != "no answer" {
		t.Fatalf("it was refused: %v", err)
	}
	record, err := ordering.Ledger(t.Context())
	if err != nil || len(record.Instances) != 2 {
		t.Fatalf("the cloud started %d, %v", len(record.Instances), err)
	}
	order(t, serving, ordering, Trouble{Kind: OutageTrouble, Call: PricesCall})
	if again, err := a.Launch(t.Context(), request); err != nil || len(again) != 2 || again[0].ID != record.Instances[0].ID {
		t.Errorf("repeated: %v, %v", again, err)
	}
}

func TestAHangEndsWithAPardon(t *testing.T) {
	serving, ordering := shared(t)
	order(t, serving, ordering, Trouble{Kind: HangTrouble})
	ended := make(chan error, 1)
	go func() {
		_, err := serving.Account("a").Describe(t.Context(), cloud.Query{Region: "us-east-1"})
		ended <- err
	}()
	if err := ordering.Pardon(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("after the pardon: %v", err)
	}
}

func TestPoisonedPricesAreToldAsOrdered(t *testing.T) {
	serving, ordering := shared(t)
	order(t, serving, ordering, Trouble{Kind: PriceTrouble, Pool: "m5.large/", Factor: -1})
	prices, err := serving.Account("a").Prices(t.Context(), "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for _, p := range prices {
		if p.Price <= 0 {
			wrong++
			if p.Market.Type != "m5.large" {
				t.Fatalf("%s has the price %s", p.Market.PoolKey(), p.Price)
			}
		}
	}
	if wrong == 0 {
		t.Error("no price is wrong")
	}
}
