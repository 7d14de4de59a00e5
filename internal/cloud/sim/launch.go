package sim

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim/physics"
)

// poolOf finds the pool that a market draws on.
func (c *Cloud) poolOf(m cloud.Market, offer catalog.Offer) physics.Pool {
	return physics.PoolOf(c.dice, m, offer.Interruption, offer.Type.VCPUs)
}

// launchMost is how many instances one call may ask for.
const launchMost = 2_000

// Launch starts as many instances as the pool, the quota and the subnets allow. A call that starts none leaves its token unused.
func (a *Account) Launch(ctx context.Context, l cloud.Launch) ([]cloud.Instance, error) {
	return do(ctx, a, LaunchCall, l.Market.Region, func() ([]cloud.Instance, error) {
		offer, err := a.cloud.validate(l)
		if err != nil {
			return nil, err
		}
		l.Market.Product = product(l.Market)
		var started []*instance
		var short *cloud.Refusal
		now := a.cloud.now()
		err = a.cloud.db.write(ctx, func(ctx context.Context, tx runner) error {
			var err error
			if started, short, err = a.launchOnce(ctx, tx, l, offer, now); err != nil {
				return err
			}
			outcome := "ok"
			if short != nil {
				outcome = short.Code
			}
			return a.record(ctx, tx, LaunchCall, l.Market.Region, outcome, fmt.Sprintf("%s %s: %d of %d", l.Token, l.Market.PoolKey(), len(started), l.Count))
		})
		if err != nil {
			return nil, err
		}
		shown, err := showAll(started, func(*instance) physics.Instant { return now })
		if err == nil && short != nil {
			err = short
		}
		return shown, err
	})
}

func showAll(instances []*instance, when func(*instance) physics.Instant) ([]cloud.Instance, error) {
	shown := make([]cloud.Instance, 0, len(instances))
	for _, i := range instances {
		one, err := i.show(when(i))
		if err != nil {
			return nil, err
		}
		shown = append(shown, one)
	}
	return shown, nil
}

// validate refuses what will never work, and finds what is being bought.
func (c *Cloud) validate(l cloud.Launch) (catalog.Offer, error) {
	m := l.Market
	offer, sold := c.catalog.Offer(m.Region, product(m), m.Type)
	switch {
	case l.Token == "":
		return offer, bad("MissingParameter", "A launch needs a token, so that it can be repeated safely.")
	case l.Count < 1 || l.Count > launchMost:
		return offer, bad("InvalidParameterValue", "The count is %d; it lies between 1 and %d.", l.Count, launchMost)
	case l.Least < 0 || l.Least > l.Count:
		return offer, bad("InvalidParameterCombination", "At least %d of %d are asked for; the least is not above the count.", l.Least, l.Count)
	case m.Lifecycle != cloud.Spot && m.Lifecycle != cloud.OnDemand:
		return offer, bad("InvalidParameterValue", "The lifecycle %q is neither %q nor %q.", m.Lifecycle, cloud.Spot, cloud.OnDemand)
	case !sold:
		return offer, bad("InvalidParameterValue", "The type %q is not sold in %s for %q (simulated).", m.Type, m.Region, product(m))
	case !offer.Sells(m.Zone):
		return offer, bad("Unsupported", "The type %q is not offered in the zone %q; try one of %s.", m.Type, m.Zone, strings.Join(offer.Zones, ", "))
	case m.Lifecycle == cloud.Spot && offer.Spot == 0:
		return offer, bad("InvalidParameterValue", "The type %q is not sold on spot in %s (simulated).", m.Type, m.Region)
	}
	if faults := checkTemplate(l.Template, c.catalog.Vendor(m.Region)); len(faults) > 0 {
		return offer, faults[0]
	}
	return offer, nil
}

// launchOnce answers a repeated token from memory and carries out a new one.
func (a *Account) launchOnce(ctx context.Context, tx runner, l cloud.Launch, offer catalog.Offer, now physics.Instant) ([]*instance, *cloud.Refusal, error) {
	print := fingerprint(l)
	var known, refused string
	query := a.cloud.db.sql("SELECT fingerprint, refusal FROM launch WHERE account = ? AND token = ?")
	err := tx.QueryRowContext(ctx, query, a.id, l.Token).Scan(&known, &refused)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return a.launchNew(ctx, tx, l, offer, print, now)
	case err != nil:
		return nil, nil, fmt.Errorf("simulated cloud: %w", err)
	case known != print:
		return nil, bad("IdempotentParameterMismatch", "The token %q was used with other parameters before.", l.Token), nil
	}
	instances, err := readInstances(ctx, a.cloud.db, tx, "account = ? AND token = ?", a.id, l.Token)
	if err != nil || refused == "" {
		return instances, nil, err
	}
	short := new(cloud.Refusal)
	return instances, short, json.Unmarshal([]byte(refused), short)
}

func (a *Account) launchNew(ctx context.Context, tx runner, l cloud.Launch, offer catalog.Offer, print string, now physics.Instant) ([]*instance, *cloud.Refusal, error) {
	pool := a.cloud.poolOf(l.Market, offer)
	granted, subnets, short, err := a.grant(ctx, tx, l, offer, pool, now)
	if err != nil || granted == 0 {
		return nil, short, err
	}
	if granted < l.Least {
		short.Message += fmt.Sprintf(" At least %d were asked for, so none was started.", l.Least)
		return nil, short, nil
	}
	first, err := a.cloud.db.number(ctx, tx, granted)
	if err != nil {
		return nil, nil, err
	}
	tags, err := json.Marshal(l.Tags)
	if err != nil {
		return nil, nil, err
	}
	started := make([]*instance, granted)
	var notices []notice
	for n := range started {
		own := a.cloud.dice.On("instance").At(first + int64(n))
		made := &instance{
			seq: first + int64(n), account: a.id, token: l.Token, market: l.Market, pool: pool.Key, quota: quotaClass(offer, l.Market.Lifecycle),
			vcpus: offer.Type.VCPUs, image: l.Template.Image, subnet: subnets[n], tags: string(tags), launched: now, impaired: physics.Never, stopping: physics.Never, stopped: physics.Never,
			keyPair: l.Template.KeyPair, placementGroup: l.Template.PlacementGroup,
		}
		made.name(own, l)
		future := pool.FateOf(own, l.Market.Lifecycle, a.cloud.tuning.pace(a.cloud.noticeIn(l.Market.Region)), now)
		made.running, made.ok, made.notice, made.ends, made.gone = future.Running, future.OK, future.Notice, future.Ends, future.Gone
		if future.Ends != physics.Never {
			made.ended = cloud.EndedByInterruption
		}
		notices = append(notices, a.cloud.foretell(own, made, future)...)
		started[n] = made
	}
	if err := insertInstances(ctx, a.cloud.db, tx, started); err != nil {
		return nil, nil, err
	}
	if err := insertNotices(ctx, a.cloud.db, tx, notices); err != nil {
		return nil, nil, err
	}
	return started, short, a.remember(ctx, tx, l.Token, print, short)
}

// name gives the instance its ids and addresses. Public addresses come from 198.18.0.0/15, which is reserved for tests.
func (i *instance) name(own physics.Dice, l cloud.Launch) {
	d := own.On("name")
	i.id = "i-" + hexDigits(&d, 17)
	if l.Market.Lifecycle == cloud.Spot {
		i.request = "sir-" + hexDigits(&d, 8)
	}
	i.privateIP = fmt.Sprintf("10.%d.%d.%d", i.seq>>16&0xff, i.seq>>8&0xff, i.seq&0xff)
	if l.Template.PublicIP == nil || *l.Template.PublicIP {
		i.publicIP = fmt.Sprintf("198.%d.%d.%d", 18+(i.seq>>16&1), i.seq>>8&0xff, i.seq&0xff)
	}
}

func hexDigits(d *physics.Dice, count int) string {
	text := fmt.Sprintf("%016x%016x", d.Bits(), d.Bits())
	return text[:count]
}

func (a *Account) remember(ctx context.Context, tx runner, token, print string, short *cloud.Refusal) error {
	refused := ""
	if short != nil {
		text, err := json.Marshal(short)
		if err != nil {
			return err
		}
		refused = string(text)
	}
	_, err := tx.ExecContext(ctx, a.cloud.db.sql("INSERT INTO launch (account, token, fingerprint, refusal) VALUES (?, ?, ?, ?)"), a.id, token, print, refused)
	return err
}

// fingerprint tells launches with different parameters apart.
func fingerprint(l cloud.Launch) string {
	l.Token = ""
	text, err := json.Marshal(l)
	if err != nil {
		panic(fmt.Sprintf("a launch is always encodable: %v", err))
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// subnetOf is the default subnet of a zone, for launches that name none.
func (a *Account) subnetOf(zone string) string {
	d := a.cloud.dice.On("subnet").On(a.id).On(zone)
	return "subnet-" + hexDigits(&d, 17)
}

// candidates are the subnets that a launch may use.
func (a *Account) candidates(l cloud.Launch) []string {
	if len(l.Template.Subnets) > 0 {
		return l.Template.Subnets
	}
	return []string{a.subnetOf(l.Market.Zone)}
}
