package cloud

import "context"

// InterfaceSpec is a network interface to be made.
type InterfaceSpec struct {
	Token       string            `json:"token"` // at most 64 characters; repeating an identical spec with its token makes no second interface
	Subnet      string            `json:"subnet"`
	Groups      []string          `json:"groups,omitempty"`    // security groups; none = the network's default
	PrivateIP   string            `json:"privateIp,omitempty"` // "" = any free one of the subnet
	Description string            `json:"description,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
}

// InterfaceState is a network interface's state as the cloud tells it.
type InterfaceState string

const (
	InterfacePending   InterfaceState = "pending"
	InterfaceAvailable InterfaceState = "available" // and attached to nothing
	InterfaceInUse     InterfaceState = "in-use"
)

// Interface is the cloud's account of one network interface. Its Token is empty.
type Interface struct {
	ID string `json:"id"`
	InterfaceSpec
	Zone       string         `json:"zone"`
	State      InterfaceState `json:"state"`
	PublicIP   string         `json:"publicIp,omitempty"`
	Attachment *Attachment    `json:"attachment,omitempty"` // nil when it hangs on nothing
}

// Interfaces is the ability to keep private addresses apart from instances. To change an interface that is not there is a *Refusal of kind Unknown; what its state does
// not allow, or an address that is taken, one of kind BadRequest. Attaching and detaching go on after the call: the interface's state tells.
type Interfaces interface {
	// Interfaces lists what the query selects, by id; an id that the cloud does not know is left out.
	Interfaces(ctx context.Context, query AttachedQuery) ([]Interface, error)
	// CreateInterface makes a network interface. A token reused with other parameters is a *Refusal of kind BadRequest.
	CreateInterface(ctx context.Context, region string, spec InterfaceSpec) (Interface, error)
	// AttachInterface attaches it to an instance of its zone, under an index from 1 on. If it is attached there already, under that index, that is no error.
	AttachInterface(ctx context.Context, region, id, instance string, index int) error
	// DetachInterface takes it off its instance; if it is on none, that is no error. An instance's first interface, index 0, stays while the instance lives.
	DetachInterface(ctx context.Context, region, id string, force bool) error
	// DeleteInterface deletes one that is attached to nothing.
	DeleteInterface(ctx context.Context, region, id string) error
	// KeepInterface says whether an attached interface is to outlive its instance.
	KeepInterface(ctx context.Context, region, id string, keep bool) error
}

// Address is a public address that the account keeps.
type Address struct {
	ID        string            `json:"id"` // of its allocation
	IP        string            `json:"ip"`
	Instance  string            `json:"instance,omitempty"`
	Interface string            `json:"interface,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
}

// Addresses is the ability to move the account's own public addresses between instances. An address that is not there is a *Refusal of kind Unknown.
type Addresses interface {
	// Addresses lists what the query selects, by id; an id that the cloud does not know is left out.
	Addresses(ctx context.Context, query Query) ([]Address, error)
	// AssociateAddress gives the address to an instance's first interface. With move it is taken away from whoever has it; without, that is a *Refusal of kind
	// BadRequest, unless that instance has it already.
	AssociateAddress(ctx context.Context, region, id, instance string, move bool) error
	// DisassociateAddress takes the address away from whoever has it; if nobody does, that is no error.
	DisassociateAddress(ctx context.Context, region, id string) error
}
