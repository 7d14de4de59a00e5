package launch

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/neap-cloud/neap/internal/fleet/single"
	"github.com/neap-cloud/neap/internal/op"
)

type withBody struct{ Body op.Document }

const (
	standardKey   = "scalacity_dev1"
	standardGroup = "SSH"
)

func (d Deps) launch(ctx context.Context, in withBody) ([]string, error) {
	a := argumentsOf(in.Body)
	order := single.Order{
		Image: a.required("ami"), Type: a.required("instance_type"), Least: a.whole("min_count", 1, 1), KeyPair: a.text("key_name", standardKey),
		SecurityGroups: a.list("security_groups", standardGroup), UserData: a.text("user_data", ""), Zone: a.text("placement", d.Instances.Region+"b"),
		PlacementGroup: a.text("placement_group", ""), Shutdown: a.text("instance_initiated_shutdown_behavior", "terminate"), EBSOptimized: a.flag("ebs_optimized"),
		Token: a.text("client_token", ""),
	}
	order.Most = a.whole("max_count", 1, 1)
	if order.Least > order.Most && len(a.faults) == 0 {
		a.wrong("max_count", "must be at least min_count, got %d and %d", order.Most, order.Least)
	}
	if order.Shutdown != "terminate" && order.Shutdown != "stop" {
		a.wrong("instance_initiated_shutdown_behavior", "must be terminate or stop, got %.40q", order.Shutdown)
	}
	if !tokenForm.MatchString(order.Token) {
		a.wrong("Client-Token", "must be at most 64 printable characters")
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	return d.Instances.Launch(ctx, op.CallOf(ctx).Account, order)
}

// tokenForm is that of EC2's client tokens.
var tokenForm = regexp.MustCompile(`^[ -~]{0,64}$`)

// id is EC2's of an instance.
type id string

var idForm = regexp.MustCompile(`^i-([0-9a-f]{8}|[0-9a-f]{17})$`)

// UnmarshalText refuses what EC2 could never have given; see exception for what becomes of that.
func (i *id) UnmarshalText(text []byte) error {
	if *i = id(text); !idForm.Match(text) {
		return errors.New("an id is i- and 8 or 17 hex digits")
	}
	return nil
}

// named is an instance in a path.
type named struct {
	ID id `path:"instanceId" doc:"EC2's id of the instance"`
}

type changed struct {
	named
	Body op.Document
}

type done struct {
	Message string `json:"message"`
}

// succeeded is the answer to every change of one instance.
func succeeded(err error) (done, error) { return done{"Instance modification succeeded"}, err }

// act is an operation without parameters.
func act(do func(ctx context.Context, account, id string) error) op.Do {
	return op.Func(func(ctx context.Context, in named) (done, error) {
		return succeeded(do(ctx, op.CallOf(ctx).Account, string(in.ID)))
	})
}

// actByForce is an operation that can be done by force.
func (d Deps) actByForce(do func(ctx context.Context, account, id string, force bool) error) op.Do {
	return op.Func(func(ctx context.Context, in changed) (done, error) {
		a := argumentsOf(in.Body)
		force := a.flag("force")
		if err := a.check(); err != nil {
			return done{}, d.behind(ctx, in.named, err)
		}
		return succeeded(do(ctx, op.CallOf(ctx).Account, string(in.ID), force))
	})
}

// behind is what is wrong with a request about an instance: whether there is that one comes before whatever else is.
func (d Deps) behind(ctx context.Context, in named, wrong error) error {
	if _, err := d.look(ctx, in); err != nil {
		return err
	}
	return wrong
}

// modifiable are EC2's names of what can be modified, and whether it is true or false. Clients may write them with underscores, too, and security_groups for groupSet.
var modifiable = map[string]bool{
	"instanceType": false, "kernel": false, "ramdisk": false, "userData": false, "disableApiTermination": true, "instanceInitiatedShutdownBehavior": false,
	"rootDeviceName": false, "blockDeviceMapping": false, "sourceDestCheck": true, "groupSet": false, "ebsOptimized": true, "sriovNetSupport": false, "enaSupport": true,
}

// ec2Name is EC2's name of an attribute.
func ec2Name(attribute string) (name string, known bool) {
	if attribute == "security_groups" {
		return "groupSet", true
	}
	words := strings.Split(attribute, "_")
	for n, word := range words {
		if n > 0 && word != "" {
			words[n] = strings.ToUpper(word[:1]) + word[1:]
		}
	}
	name = strings.Join(words, "")
	_, known = modifiable[name]
	return name, known
}

func (d Deps) modify(ctx context.Context, in changed) (done, error) {
	a := argumentsOf(in.Body)
	attribute, value := a.change()
	if err := a.check(); err != nil {
		return done{}, d.behind(ctx, in.named, err)
	}
	return succeeded(d.Instances.Modify(ctx, op.CallOf(ctx).Account, string(in.ID), attribute, value))
}

// change is what to modify, as EC2 writes it. A value may be empty, but not left out.
func (a *arguments) change() (attribute, value string) {
	written := a.required("attribute")
	attribute, known := ec2Name(written)
	if written != "" && !known {
		a.wrong("attribute", "must be an attribute that can be modified, such as instanceType, got %.40q", written)
	}
	if _, given := a.given["value"]; !given {
		a.wrong("value", absent)
	}
	if attribute == "groupSet" {
		return attribute, strings.Join(a.list("value"), ",")
	}
	value = a.text("value", "")
	if modifiable[attribute] {
		yes, is := truth(value)
		if !is {
			a.wrong("value", "must be true or false, got %.40q", value)
		}
		value = strconv.FormatBool(yes)
	}
	return attribute, value
}
