package aws

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// reach is which things of an account a permission is good for.
type reach int

const (
	anything  reach = iota // what can't be narrowed, or need not be
	tagged                 // things that carry Neap's tag
	born                   // things that are to carry Neap's tag, and whatever they are made from
	labelling              // setting tags: on things as they are made, and on things that carry Neap's tag
	queued                 // the queue of notices
	handed                 // roles, handed over to instances
	linked                 // the roles that EC2 itself works with
)

// permission is one action of AWS that Neap needs in an account.
type permission struct {
	action string // as a policy spells it
	purpose string // what Neap does with it
	reads  bool   // it changes nothing: what merely looks on needs these
	reach  reach
	implied bool // no call of ours is named so; another one needs it
}

// permissions is every action that Neap takes in an account, and none that it does not. A test compares it with the calls in this folder.
func permissions() []permission {
	return []permission{
		// Prices and offerings.
		{action: "ec2:DescribeSpotPriceHistory", purpose: "current spot prices", reads: true},
		{action: "ec2:DescribeInstanceTypes", purpose: "what the types of a region are", reads: true},
		{action: "ec2:DescribeInstanceTypeOfferings", purpose: "in which zones each type is sold", reads: true},
		{action: "pricing:GetProducts", purpose: "on-demand prices newer than the built-in list", reads: true},
		// Notices.
		{action: "ec2:DescribeSpotInstanceRequests", purpose: "interruptions, also while the queue is missing", reads: true},
		{action: "sqs:GetQueueUrl", purpose: "finding the queue of notices", reach: queued},
		{action: "sqs:ReceiveMessage", purpose: "interruption warnings and rebalance recommendations", reach: queued},
		{action: "sqs:DeleteMessage", purpose: "taking a notice off the queue once it has been acted on", reach: queued},
	}
}

// A policy of IAM.
type (
	policy struct {
		Version   string      `json:"Version"`
		Statement []statement `json:"Statement"`
	}
	statement struct {
		Sid       string                         `json:"Sid"`
		Effect    string                         `json:"Effect"`
		Principal map[string]string              `json:"Principal,omitempty"`
		Action    []string                       `json:"Action"`
		Resource  []string                       `json:"Resource,omitempty"`
		Condition map[string]map[string][]string `json:"Condition,omitempty"`
	}
)
