package app_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/mishap"
	"github.com/neap-cloud/neap/internal/cloud/sim"
)

func TestMishapsHappenWhileTheFileSaysSo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mishaps")
	n := apptest.Start(t, func(c *app.Config) { c.Unusual.Around = app.Mishaps(file) })
	ask := func() error {
		t.Helper()
		p, err := n.Fleet.Clouds.For(t.Context(), n.Account.ID)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Describe(t.Context(), cloud.Query{Region: "us-east-1"})
		return err
	}
	if err := ask(); err != nil {
		t.Errorf("without a file it gave %v", err)
	}
	text, err := json.Marshal(mishap.Plan{Rate: map[mishap.Kind]float64{mishap.Denied: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if refusal, ok := errors.AsType[*cloud.Refusal](ask()); !ok || refusal.Kind != cloud.Denied {
		t.Errorf("with the file it gave %v", ask())
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := ask(); err != nil {
		t.Errorf("without the file again it gave %v", err)
	}
}

func TestTheSimulatedCloudIsTunedAsARehearsalWantsIt(t *testing.T) {
	tame := sim.Tame()
	n := apptest.Start(t, func(c *app.Config) { c.Unusual.Tuning = &tame })
	if settle := n.Cloud.Account("any").Info().Settle; settle != 0 {
		t.Errorf("answers may be %s old", settle)
	}
}
