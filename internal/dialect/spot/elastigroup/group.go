package elastigroup

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/neap-cloud/neap/internal/dialect/spot"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/op"
)

// groupItem is a group's document with what the server adds to it.
type groupItem = json.RawMessage

// serverSide are members that clients read and must not write: what they send there is dropped.
const serverSide = `{"id":null,"createdAt":null,"updatedAt":null}`

type createIn struct{ Body op.Document }

func (d dialect) create(ctx context.Context, in createIn) (spot.Items[groupItem], error) {
	call := op.CallOf(ctx)
	document, err := unwrapped(in.Body)
	if err != nil {
		return nil, err
	}
	if document, err = op.MergePatch(document, []byte(serverSide)); err != nil {
		return nil, err
	}
	return shown(d.Fleet.Create(ctx, call.Account, author(call), FormName, document))
}

func (d dialect) list(ctx context.Context, _ struct{}) (spot.Items[groupItem], error) {
	call := op.CallOf(ctx)
	groups, err := d.Fleet.List(ctx, call.Account, FormName)
	items := make(spot.Items[groupItem], 0, len(groups))
	for _, g := range groups {
		if call.Sees(op.Object{ID: g.ID, Attributes: lazily(g.Document)}) {
			items = append(items, itemOf(g))
		}
	}
	return items, err
}

type groupIn struct {
	Group string `path:"groupId"`
}

func (d dialect) get(ctx context.Context, in groupIn) (spot.Items[groupItem], error) {
	return shown(d.Fleet.Get(ctx, op.CallOf(ctx).Account, in.Group))
}

type updateIn struct {
	groupIn
	AutoApplyTags        bool `query:"autoApplyTags" doc:"Accepted; has no effect yet."`
	ShouldResumeStateful bool `query:"shouldResumeStateful" doc:"Accepted; has no effect yet."`
	Body                 op.Document
}

func (d dialect) update(ctx context.Context, in updateIn) (spot.Items[groupItem], error) {
	call := op.CallOf(ctx)
	patch, err := unwrapped(in.Body)
	if err != nil {
		return nil, err
	}
	return shown(d.Fleet.Update(ctx, call.Account, author(call), in.Group, func(old json.RawMessage) (json.RawMessage, error) {
		return d.patched(old, patch)
	}))
}

// patched merges a change into a document. The result must be right as a whole, and must not move what a group is born with.
func (d dialect) patched(old, patch json.RawMessage) (json.RawMessage, error) {
	merged, err := op.MergePatch(old, patch)
	if err != nil {
		return nil, err
	}
	if merged, err = op.MergePatch(merged, []byte(serverSide)); err != nil {
		return nil, err
	}
	if err := d.Schemas.Validate("group-create", wrapped(merged)); err != nil {
		return nil, err
	}
	before, _, _, err := d.form.Compile(old)
	if err != nil {
		return nil, err
	}
	after, _, _, err := d.form.Compile(merged)
	if err != nil {
		return nil, err
	}
	return merged, unmoved(before, after)
}

func unmoved(before, after fleet.Intent) error {
	var faults []*fault.Error
	for _, fixed := range []struct{ path, before, after string }{
		{"capacity.unit", string(before.Capacity.Unit), string(after.Capacity.Unit)},
		{"region", before.Region, after.Region},
		{"compute.product", before.Product, after.Product},
	} {
		if fixed.before != fixed.after {
			faults = append(faults, fault.Field("group."+fixed.path, "This is %q since creation and can't be changed; create another group.", fixed.before))
		}
	}
	return fault.All(faults)
}

type deleteIn struct {
	groupIn
	Body op.Document
}

func (d dialect) delete(ctx context.Context, in deleteIn) (spot.Done, error) {
	call := op.CallOf(ctx)
	return spot.Done{}, d.Fleet.Delete(ctx, call.Account, author(call), in.Group)
}

func shown(g fleet.Group, err error) (spot.Items[groupItem], error) {
	if err != nil {
		return nil, err
	}
	return spot.One(itemOf(g)), nil
}

// itemOf puts the server's members behind the document's own, which stay as they were sent.
func itemOf(g fleet.Group) groupItem {
	own := bytes.TrimSuffix(bytes.TrimSpace(g.Document), []byte("}"))
	item := append(bytes.Clone(own), ',')
	if len(bytes.TrimSpace(own)) == len("{") {
		item = bytes.Clone(own)
	}
	tail, err := json.Marshal(struct {
		ID      string    `json:"id"`
		Created spot.Time `json:"createdAt"`
		Updated spot.Time `json:"updatedAt"`
	}{g.ID, spot.Time(g.Created), spot.Time(g.Updated)})
	if err != nil {
		panic(err) // three plain values always encode
	}
	return append(item, tail[1:]...)
}

func unwrapped(body op.Document) (json.RawMessage, error) {
	var wrapper struct{ Group json.RawMessage }
	if err := json.Unmarshal(body, &wrapper); err != nil {
		return nil, unreadable(err)
	}
	return wrapper.Group, nil
}

func wrapped(group json.RawMessage) []byte {
	return append(append([]byte(`{"group":`), group...), '}')
}

// author names who asks, for logs and revisions.
func author(call *op.Call) string {
	if call.Caller.Name != "" {
		return call.Caller.Name
	}
	return call.Caller.Subject
}
