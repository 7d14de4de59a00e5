package cloud

import (
	"context"
	"time"
)

// AttachedQuery selects volumes or network interfaces of one region as Query does and, where Instance is set, of these only the ones attached to it. With nothing
// but a region it selects all that the account has there.
type AttachedQuery struct {
	Query
	Instance string
}

// Attachment is where a volume or a network interface hangs.
type Attachment struct {
	ID       string `json:"id,omitempty"` // of an interface's; volumes' have none
	Instance string `json:"instance"`
	Device   string `json:"device"`  // of a volume its device name, "/dev/xvda"; of an interface its index, "0" being the instance's first
	Settled  bool   `json:"settled"` // false while it is still being attached or detached
	Kept     bool   `json:"kept"`    // it outlives the instance
}

// VolumeState is a volume's state as the cloud tells it.
type VolumeState string

const (
	VolumeCreating  VolumeState = "creating"
	VolumeAvailable VolumeState = "available" // and attached to nothing
	VolumeInUse     VolumeState = "in-use"
	VolumeDeleting  VolumeState = "deleting"
	VolumeDeleted   VolumeState = "deleted"
	VolumeError     VolumeState = "error"
)

// VolumeSpec is a volume to be made. What is zero is as the cloud does on its own.
type VolumeSpec struct {
	Token      string            `json:"token"` // at most 64 characters; repeating an identical spec with its token makes no second volume
	Zone       string            `json:"zone"`
	GiB        int               `json:"gib,omitempty"`        // 0 = as large as the snapshot
	Type       string            `json:"type,omitempty"`       // in the cloud's own words: "gp3"
	IOPS       int               `json:"iops,omitempty"`       // where the type lets it be chosen
	Throughput int               `json:"throughput,omitempty"` // MiB/s, likewise
	Snapshot   string            `json:"snapshot,omitempty"`   // that it is filled from; "" = empty
	Encrypted  bool              `json:"encrypted,omitempty"`
	Key        string            `json:"key,omitempty"` // that it is encrypted with; "" = the account's own
	Tags       map[string]string `json:"tags,omitempty"`
}

// Volume is the cloud's account of one volume. Its Token is empty.
type Volume struct {
	ID string `json:"id"`
	VolumeSpec
	State       VolumeState  `json:"state"`
	Attachments []Attachment `json:"attachments,omitempty"`
	CreatedAt   time.Time    `json:"createdAt"`
}

// Volumes is the ability to keep disks apart from instances. To change a volume that is not there is a *Refusal of kind Unknown; what its state does not allow, one of
// kind BadRequest. Attaching, detaching and deleting go on after the call: the volume's state tells.
type Volumes interface {
	// Volumes lists what the query selects, by id; an id that the cloud does not know is left out.
	Volumes(ctx context.Context, query AttachedQuery) ([]Volume, error)
	// CreateVolume makes a volume. A token reused with other parameters is a *Refusal of kind BadRequest.
	CreateVolume(ctx context.Context, region string, spec VolumeSpec) (Volume, error)
	// AttachVolume attaches a volume to an instance of its zone, as a device. If it is attached there already, as that device, that is no error.
	AttachVolume(ctx context.Context, region, volume, instance, device string) error
	// DetachVolume takes a volume off its instance; if it is on none, that is no error. By force it does not wait for the instance, and what was not written is lost.
	DetachVolume(ctx context.Context, region, volume string, force bool) error
	// DeleteVolume deletes a volume that is attached to nothing.
	DeleteVolume(ctx context.Context, region, volume string) error
	// KeepVolumes says whether the volumes that hang on these devices of an instance are to outlive it.
	KeepVolumes(ctx context.Context, region, instance string, devices []string, keep bool) error
}

// SnapshotState is a snapshot's state as the cloud tells it.
type SnapshotState string

const (
	SnapshotPending   SnapshotState = "pending" // volumes can be made from it already where the cloud says so; its own volume may go
	SnapshotCompleted SnapshotState = "completed"
	SnapshotError     SnapshotState = "error"
)

// Snapshot is the cloud's account of one snapshot of a volume.
type Snapshot struct {
	ID          string            `json:"id"`
	Volume      string            `json:"volume"` // that it was made of, which may be gone
	State       SnapshotState     `json:"state"`
	Percent     int               `json:"percent"` // done
	GiB         int               `json:"gib"`     // of the volume
	Description string            `json:"description,omitempty"`
	Encrypted   bool              `json:"encrypted,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	CreatedAt   time.Time         `json:"createdAt"`
}

// Snapshots is the ability to copy volumes at a moment. To work on what is not there is a *Refusal of kind Unknown.
type Snapshots interface {
	// Snapshots lists the account's own that the query selects, by id; an id that the cloud does not know is left out.
	Snapshots(ctx context.Context, query Query) ([]Snapshot, error)
	// CreateSnapshot begins a snapshot of a volume. Clouds have no token for this: whoever asks again finds by its tags what an earlier call made.
	CreateSnapshot(ctx context.Context, region, volume, description string, tags map[string]string) (Snapshot, error)
	// DeleteSnapshot deletes a snapshot; one that an image is made of is a *Refusal of kind BadRequest.
	DeleteSnapshot(ctx context.Context, region, snapshot string) error
}

// ImageState is an image's state as the cloud tells it.
type ImageState string

const (
	ImagePending   ImageState = "pending"
	ImageAvailable ImageState = "available"
	ImageFailed    ImageState = "failed"
)

// ImageSpec is an image to be made. Its name is the token: where the account has an image of that name with all these tags it is that one, and none is made; another
// image of that name is a *Refusal of kind BadRequest.
type ImageSpec struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"` // of the image and of the snapshots that are made for it
}

// Image is the cloud's account of one machine image.
type Image struct {
	ID string `json:"id"`
	ImageSpec
	State        ImageState        `json:"state"`
	Architecture string            `json:"architecture"`        // "x86_64", "arm64"
	Root         string            `json:"root"`                // the root volume's device name
	Snapshots    map[string]string `json:"snapshots,omitempty"` // by device name, what its volumes are filled from
	CreatedAt    time.Time         `json:"createdAt"`
}

// Images is the ability to make machine images. To work on what is not there is a *Refusal of kind Unknown.
type Images interface {
	// Images lists what the query selects, by id: by ids any that the account may use, by tags or by nothing its own; an id that the cloud does not know is left out.
	Images(ctx context.Context, query Query) ([]Image, error)
	// CreateImage begins an image of an instance and all its volumes, and returns the image's id. With reboot the instance is stopped for it and its file systems are
	// whole; without, they are as after a power cut.
	CreateImage(ctx context.Context, region, instance string, spec ImageSpec, reboot bool) (string, error)
	// RegisterImage makes an image that is as the image like, but with these snapshots for its volumes, by device name; its root has to be among them. What is
	// billed by the image (Windows, Red Hat) cannot be registered.
	RegisterImage(ctx context.Context, region, like string, spec ImageSpec, snapshots map[string]string) (string, error)
	// DeregisterImage ends an image, and on request deletes the snapshots it was made of. What was started from it goes on.
	DeregisterImage(ctx context.Context, region, image string, withSnapshots bool) error
}
