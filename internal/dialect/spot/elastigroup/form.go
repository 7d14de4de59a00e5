package elastigroup

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/op"
)

// FormName is stored with every group that was written down as an Elastigroup on AWS.
const FormName = "spot/elastigroup/aws"

// Form reads Elastigroup documents. Its methods are pure and safe for concurrent use.
type Form struct {
	catalog *catalog.Cloud
	acted   tree
}

var _ fleet.Form = Form{}

// NewForm makes the form; types, regions and zones are checked against the catalogue.
func NewForm(cloud *catalog.Cloud) Form { return Form{catalog: cloud, acted: actedOn()} }

// Name is FormName.
func (Form) Name() string { return FormName }

// Prefix is that of group ids.
func (Form) Prefix() string { return "sig" }

// Compile turns a group's document (what stands under "group" in a request) into an intent. It reports every fault that it finds, not the first alone.
func (f Form) Compile(document json.RawMessage) (fleet.Intent, string, []string, error) {
	c := compiler{catalog: f.catalog}
	if err := json.Unmarshal(document, &c.doc); err != nil {
		return fleet.Intent{}, "", nil, unreadable(err)
	}
	intent := c.intent()
	if err := fault.All(c.faults); err != nil {
		return fleet.Intent{}, "", nil, err
	}
	return intent, c.doc.Name, append(f.acted.others(document), c.kept...), nil
}

// SetCapacity rewrites the three numbers and leaves every other value in its spelling.
func (Form) SetCapacity(document json.RawMessage, c fleet.Capacity) (json.RawMessage, error) {
	return op.MergePatch(document, fmt.Appendf(nil, `{"capacity":{"target":%d,"minimum":%d,"maximum":%d}}`, c.Target, c.Min, c.Max))
}

// compiler reads one document. Its methods add faults and go on, so that a person sees all of them at once.
type compiler struct {
	catalog *catalog.Cloud
	doc     group
	faults  []*fault.Error
	kept    []string // paths that mean nothing in this combination
}

func (c *compiler) intent() fleet.Intent {
	var intent fleet.Intent
	intent.Capacity = c.capacity()
	p := c.places()
	intent.Region = p.region
	intent.Product = c.product()
	c.strategy(&intent)
	c.types(&intent, p)
	intent.Choice.Zones, intent.Choice.PreferredZones = p.zones, p.preferred
	intent.Health = c.health()
	intent.Template = c.template()
	intent.Template.Subnets = p.subnets
	c.scaling()
	return intent
}

// wrong adds a fault at a path below the group.
func (c *compiler) wrong(path, format string, args ...any) {
	c.faults = append(c.faults, fault.Field("group."+path, format, args...))
}

// unreadable says where a document does not have the shape that its schema asks for.
func unreadable(err error) error {
	path := "group"
	if mistyped, ok := err.(*json.UnmarshalTypeError); ok && mistyped.Field != "" {
		path += "." + mistyped.Field
	}
	return fault.Field(path, "This value does not have the type that the description of the API gives it.").With(err)
}

func quoted(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
