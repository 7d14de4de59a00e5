package sim

import (
	"cmp"
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	jsonv1 "github.com/go-json-experiment/json/v1" // encoding/json of Go 1.27: a third of the time

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim/physics"
)

// instance is one row: what the instance is, and when it does what. Its state is read off the clock.
type instance struct {
	seq     int64
	id      string
	account string
	token   string
	market  cloud.Market
	pool    string
	quota   string
	vcpus   int

	request, image, subnet, privateIP, publicIP string
	keyPair, placementGroup                     string
	tags                                        string // JSON object, keys sorted
	attributes                                  string // JSON object of what was modified, see modify.go; "" = nothing was

	launched, running, ok, impaired, stopping, stopped, notice, ends, gone physics.Instant
	started                                                                physics.Instant // when it was last started again; 0 = never
	ended                                                                  string          // why, once ends has passed
}

const instanceColumns = `seq, id, account, token, region, zone, type, product, lifecycle, pool, quota, vcpus, request, image, subnet,
	private_ip, public_ip, tags, launched_at, running_at, ok_at, impaired_at, stopping_at, stopped_at, notice_at, ends_at, gone_at, ended,
	key_pair, placement_group, attributes, started_at`

// fields are in the order of instanceColumns.
func (i *instance) fields() []any {
	return []any{&i.seq, &i.id, &i.account, &i.token, &i.market.Region, &i.market.Zone, &i.market.Type, &i.market.Product, &i.market.Lifecycle,
		&i.pool, &i.quota, &i.vcpus, &i.request, &i.image, &i.subnet, &i.privateIP, &i.publicIP, &i.tags, &i.launched, &i.running, &i.ok,
		&i.impaired, &i.stopping, &i.stopped, &i.notice, &i.ends, &i.gone, &i.ended,
		&i.keyPair, &i.placementGroup, &i.attributes, &i.started}
}

func (i *instance) values() []any {
	return []any{i.seq, i.id, i.account, i.token, i.market.Region, i.market.Zone, i.market.Type, i.market.Product, string(i.market.Lifecycle),
		i.pool, i.quota, i.vcpus, i.request, i.image, i.subnet, i.privateIP, i.publicIP, i.tags, int64(i.launched), int64(i.running), int64(i.ok),
		int64(i.impaired), int64(i.stopping), int64(i.stopped), int64(i.notice), int64(i.ends), int64(i.gone), i.ended,
		i.keyPair, i.placementGroup, i.attributes, int64(i.started)}
}

// state is the instance's state at a moment.
func (i *instance) state(now physics.Instant) cloud.State {
	switch {
	case now >= i.gone:
		return cloud.Terminated
	case now >= i.ends:
		return cloud.ShuttingDown
	case now >= i.stopped:
		return cloud.Stopped
	case now >= i.stopping:
		return cloud.Stopping
	case now < i.running:
		return cloud.Pending
	}
	return cloud.Running
}

func (i *instance) status(now physics.Instant) cloud.Status {
	switch {
	case i.state(now) != cloud.Running:
		return cloud.StatusUnknown
	case now >= i.impaired:
		return cloud.StatusImpaired
	case now >= i.ok:
		return cloud.StatusOK
	}
	return cloud.StatusInitializing
}

// show is the instance as the cloud tells it at a moment.
func (i *instance) show(now physics.Instant) (cloud.Instance, error) {
	shown := cloud.Instance{
		ID: i.id, Request: i.request, Market: i.market, State: i.state(now), Status: i.status(now), Image: i.image, Subnet: i.subnet,
		KeyPair: i.keyPair, PlacementGroup: i.placementGroup, PrivateIP: i.privateIP, PrivateDNS: privateDNS(i.market.Region, i.privateIP),
		PublicIP: i.publicIP, PublicDNS: publicDNS(i.market.Region, i.publicIP), LaunchedAt: i.launched.Time(),
	}
	if shown.State == cloud.Stopped {
		shown.PublicIP, shown.PublicDNS = "", ""
	}
	if i.started > 0 && now >= i.started {
		shown.LaunchedAt = i.started.Time()
	}
	if now >= i.ends {
		shown.Ended, shown.EndedAt = i.ended, i.ends.Time()
	}
	if err := jsonv1.Unmarshal([]byte(i.tags), &shown.Tags); err != nil {
		return shown, fmt.Errorf("simulated cloud: tags of %s: %w", i.id, err)
	}
	return shown, nil
}

// privateDNS and publicDNS are the names that EC2 derives from an address.
func privateDNS(region, address string) string {
	return dns("ip", region, address, "ec2.internal", "compute.internal")
}

func publicDNS(region, address string) string {
	return dns("ec2", region, address, "compute-1.amazonaws.com", "compute.amazonaws.com")
}

// dns is shorter in the region that was EC2's first.
func dns(kind, region, address, first, others string) string {
	if address == "" {
		return ""
	}
	if domain := region + "." + others; region != "us-east-1" {
		first = domain
	}
	return kind + "-" + strings.ReplaceAll(address, ".", "-") + "." + first
}

func insertInstances(ctx context.Context, db *database, tx runner, instances []*instance) error {
	one := "(" + strings.TrimSuffix(strings.Repeat("?, ", 32), ", ") + ")"
	for chunk := range slices.Chunk(instances, 100) {
		var values []any
		for _, i := range chunk {
			values = append(values, i.values()...)
		}
		rows := strings.TrimSuffix(strings.Repeat(one+", ", len(chunk)), ", ")
		if _, err := tx.ExecContext(ctx, db.sql("INSERT INTO instance ("+instanceColumns+") VALUES "+rows), values...); err != nil {
			return err
		}
	}
	return nil
}

// readInstances reads the rows that a condition selects, in order of launch. They are put in order here: few are read at a time, and many times.
func readInstances(ctx context.Context, db *database, from runner, condition string, args ...any) ([]*instance, error) {
	rows, err := from.QueryContext(ctx, db.sql("SELECT "+instanceColumns+" FROM instance WHERE "+condition), args...)
	if err != nil {
		return nil, fmt.Errorf("simulated cloud: %w", err)
	}
	defer rows.Close()
	var found []*instance
	for rows.Next() {
		i := new(instance)
		if err := rows.Scan(i.fields()...); err != nil {
			return nil, fmt.Errorf("simulated cloud: %w", err)
		}
		found = append(found, i)
	}
	slices.SortFunc(found, func(a, b *instance) int { return cmp.Compare(a.seq, b.seq) })
	return found, rows.Err()
}

// owned reads instances of the account by id; an id that is not its own is a refusal.
func (a *Account) owned(ctx context.Context, tx runner, region string, ids []string) ([]*instance, error) {
	var found []*instance
	for chunk := range slices.Chunk(ids, 500) {
		some, err := byID(ctx, a.cloud.db, tx, chunk)
		if err != nil {
			return nil, err
		}
		found = append(found, slices.DeleteFunc(some, func(i *instance) bool { return i.account != a.id || i.market.Region != region })...)
	}
	for _, id := range ids {
		if !slices.ContainsFunc(found, func(i *instance) bool { return i.id == id }) {
			return nil, unknown(id)
		}
	}
	return found, nil
}

// byID reads up to 500 rows by their ids alone: told the place too, SQLite walks through all that lives there.
func byID(ctx context.Context, db *database, from runner, ids []string) ([]*instance, error) {
	args := make([]any, 1<<bits.Len(uint(len(ids)-1))) // a round number, so that there are few texts to prepare
	for n := range args {
		args[n] = ids[min(n, len(ids)-1)]
	}
	return readInstances(ctx, db, from, "id IN ("+marks(len(args))+")", args...)
}

func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// save writes the parts of a row that may change after launch.
func (i *instance) save(ctx context.Context, db *database, tx runner) error {
	_, err := tx.ExecContext(ctx, db.sql(`UPDATE instance SET tags = ?, running_at = ?, ok_at = ?, impaired_at = ?, stopping_at = ?, stopped_at = ?,
		notice_at = ?, ends_at = ?, gone_at = ?, ended = ?, started_at = ? WHERE seq = ?`), i.tags, int64(i.running), int64(i.ok), int64(i.impaired), int64(i.stopping),
		int64(i.stopped), int64(i.notice), int64(i.ends), int64(i.gone), i.ended, int64(i.started), i.seq)
	return err
}
