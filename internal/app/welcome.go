package app

import (
	"context"
	_ "embed" // the demo group
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/dialect/spot/elastigroup"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/store"
)

//go:embed demo.json
var demoGroup []byte

// welcome makes the first account, and the demo if it is wanted, and writes down what a person needs to get in. A start that was cut short is made up for by the next.
func (a *App) welcome(ctx context.Context) error {
	installation, err := a.Identity.Installation(ctx)
	if err != nil {
		return err
	}
	accounts, err := a.Identity.Accounts(ctx, installation.Organisation)
	if err != nil {
		return err
	}
	if err := a.checkTime(accounts); err != nil {
		return err
	}
	if len(accounts) > 0 {
		a.Account = accounts[0]
		groups, err := a.Fleet.List(ctx, a.Account.ID, elastigroup.FormName)
		if len(groups) > 0 {
			a.demo = groups[0].ID
		}
		return errors.Join(err, a.write("demo-account", a.Account.ID))
	}
	made, err := a.firstAccount(ctx, installation.Organisation)
	if err != nil {
		return err
	}
	if !made || !a.config.Demo || a.config.Clouds.Real {
		return a.write("demo-account", a.Account.ID)
	}
	group, err := a.Fleet.Create(ctx, a.Account.ID, "neap up", elastigroup.FormName, demoGroup)
	if err != nil {
		return fmt.Errorf("make the demo group: %w", err)
	}
	a.demo = group.ID
	return a.write("demo-account", a.Account.ID)
}

// firstAccount makes the first account; made is false when another replica that starts at the same moment was faster.
func (a *App) firstAccount(ctx context.Context, organisation string) (made bool, err error) {
	err = a.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		first := identity.Account{Organisation: organisation, Name: "demo", Cloud: simCloud, Provider: "AWS"}
		if a.config.Clouds.Real {
			first.Name, first.Cloud = "main", "" // until it has credentials
		}
		var err error
		a.Account, made, err = a.Identity.FirstAccount(ctx, tx, first)
		return err
	})
	return made, err
}

// aheadMost is how far the engine's time may be from the wall's where it is about real money.
const aheadMost = time.Minute

// checkTime refuses to run real accounts on anything but real time.
func (a *App) checkTime(accounts []identity.Account) error {
	at := slices.IndexFunc(accounts, func(account identity.Account) bool { return account.Cloud != simCloud })
	if at < 0 && !a.config.Clouds.Real || a.config.Clock != nil {
		return nil
	}
	who := "Accounts that are made now"
	if at >= 0 {
		who = "Account " + accounts[at].ID
	}
	if a.config.Rate != 0 && a.config.Rate != 1 {
		return fault.Field("rate", "%s may be in a real cloud: time can't run %g times as fast there. Leave --rate out.", who, a.config.Rate)
	}
	if ahead := time.Until(a.nature.Now()); ahead.Abs() > aheadMost {
		return fault.Field("data", "%s may be in a real cloud, and the time of this data folder, which ran faster once, is %s ahead. Begin with a fresh one.", who, ahead.Round(time.Second))
	}
	return nil
}

// write keeps one line in the data folder for its owner's eyes only.
func (a *App) write(name, text string) error {
	if a.config.Data == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(a.config.Data, name), []byte(text+"\n"), 0o600)
}

// remove takes back what write kept.
func (a *App) remove(name string) error {
	if a.config.Data == "" {
		return nil
	}
	err := os.Remove(filepath.Join(a.config.Data, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
