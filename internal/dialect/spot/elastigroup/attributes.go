package elastigroup

import (
	"context"
	"encoding/json"
	"strings"
	"sync"

	"github.com/neap-cloud/neap/internal/op"
)

// What conditions of policies can ask of a group.
const (
	nameAttribute = "spot:elastigroup:name"
	tagAttribute  = "spot:elastigroup:tags/" // and the tag's key
)

// ofGroup are a group's attributes or, before there is one, those of the body that is to make it.
func (d dialect) ofGroup(ctx context.Context, account, id string, body op.Document) (op.Attributes, error) {
	if id == "" {
		if len(body) == 0 {
			return nil, nil
		}
		document, err := unwrapped(body)
		if err != nil || len(document) == 0 {
			return nil, err
		}
		return attributes(document)
	}
	g, err := d.Fleet.Get(ctx, account, id)
	if err != nil {
		return nil, err
	}
	return attributes(g.Document)
}

// allowed refuses an instance of a group that the caller may not do to what the row does: an instance has no rights of its own.
func (d dialect) allowed(ctx context.Context, instance string) error {
	call := op.CallOf(ctx)
	i, err := d.Fleet.Instance(ctx, call.Account, instance)
	if err != nil {
		return err
	}
	g, err := d.Fleet.Get(ctx, call.Account, i.Group)
	if err != nil {
		return err
	}
	return call.Caller.Rights.Authorize(op.Deed{
		Need: call.Row.Need, Account: call.Account, Reads: !call.Row.Mutates, Object: op.Object{ID: g.ID, Attributes: lazily(g.Document)},
	})
}

// lazily reads a document when the first attribute is asked for: most policies have no conditions. What is stored has been read before.
func lazily(document json.RawMessage) op.Attributes {
	read := sync.OnceValue(func() op.Attributes {
		found, err := attributes(document)
		if err != nil {
			return func(string) (string, bool) { return "", false }
		}
		return found
	})
	return func(attribute string) (string, bool) { return read()(attribute) }
}

// attributes reads no more of a document than conditions ask for.
func attributes(document json.RawMessage) (op.Attributes, error) {
	var g struct {
		Name    string
		Compute struct {
			LaunchSpecification struct {
				Tags []struct{ TagKey, TagValue string }
			}
		}
	}
	if err := json.Unmarshal(document, &g); err != nil {
		return nil, unreadable(err)
	}
	return func(attribute string) (string, bool) {
		if attribute == nameAttribute {
			return g.Name, true
		}
		key, is := strings.CutPrefix(attribute, tagAttribute)
		for _, tag := range g.Compute.LaunchSpecification.Tags {
			if is && tag.TagKey == key {
				return tag.TagValue, true
			}
		}
		return "", false
	}, nil
}
