package batch

import (
	"strings"

	"github.com/neap-cloud/neap/internal/batch/capacity"
	"github.com/neap-cloud/neap/internal/batch/order"
	"github.com/neap-cloud/neap/internal/fault"
)

// How a job's lane gets its machines.
const (
	hosted = "hosted"   // on machines of the lane's fleet, or in it as in a pool; a local runtime runs the task
	remote = "remote"   // in a queue of the cloud's own
	single = "instance" // an instance for each job
)

// line is where jobs wait one behind the other. Comparable.
type line struct {
	capacity.Lane
	how      string
	low      bool
	timed    bool // its jobs have deadlines
	customer string
}

// timedMark ends the place of lines whose jobs have deadlines.
const timedMark = "timed"

// parent is the line's place in the store, but for the customer, who is the documents' name.
func (l line) parent() string {
	priority := High
	if l.low {
		priority = Low
	}
	parts := []string{l.Account, l.Cloud, l.Region, l.Queue, l.how, string(priority)}
	if l.timed {
		parts = append(parts, timedMark)
	}
	return strings.Join(parts, "|")
}

// lineOf reads what parent wrote.
func lineOf(parent, customer string) (line, error) {
	parts := strings.Split(parent, "|")
	timed := len(parts) == 7 && parts[6] == timedMark
	if len(parts) != 6 && !timed {
		return line{}, fault.Of(fault.Internal, "job", "Jobs wait in a line named %q, which is not one of ours.", parent)
	}
	return line{
		Lane: capacity.Lane{Account: parts[0], Cloud: parts[1], Region: parts[2], Queue: parts[3]},
		how:  parts[4], low: parts[5] == string(Low), timed: timed, customer: customer,
	}, nil
}

// pool names the lines that wait for the same room: all that this machine lends to hosted tasks, or one queue of a cloud.
func (l line) pool() string {
	if l.how == hosted {
		return hosted
	}
	return l.how + "|" + l.Account + "|" + l.Region + "|" + l.Queue
}

// ordered is the line as the order between lines knows it. Customers of different accounts are different customers.
func (l line) ordered() order.Line {
	return order.Line{Lane: l.parent(), Low: l.low, Customer: l.Account + "|" + l.customer}
}
