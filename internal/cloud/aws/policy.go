package aws

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// DefaultQueue is the name of the queue of notices, unless somebody chose another.
const DefaultQueue = "neap-notices"

// ownTag is on everything that Neap launches.
const ownTag = "neap:installation"

// Grant is what an account grants to Neap.
type Grant struct {
	ReadOnly    bool   // looking on alone
	AnyInstance bool   // also instances that Neap did not launch, which those need who hand over instances of their own
	Queue       string // "" = DefaultQueue
	Partition   string // "" = "aws"; "aws-cn", "aws-us-gov"
}

// reach is which things of an account an action is good for.
type reach struct {
	sid       string
	resources func(g Grant) []string
	except    bool // all but these resources
	condition map[string]map[string][]string
	free      bool // AnyInstance lifts the condition
}

func everything(Grant) []string { return []string{"*"} }

func (g Grant) arns(forms ...string) []string {
	var list []string
	for _, form := range forms {
		list = append(list, "arn:"+cmp.Or(g.Partition, "aws")+":"+form)
	}
	return list
}

func has(key string) map[string]map[string][]string {
	return map[string]map[string][]string{"StringLike": {key: {"*"}}}
}

// reaches says how far each action reaches; those that are not named here reach everything, as AWS can't narrow them, or as what they touch is not Neap's.
func reaches(action string) []reach {
	instances := func(g Grant) []string { return g.arns("ec2:*:*:instance/*") }
	switch action {
	case "sqs:GetQueueUrl", "sqs:ReceiveMessage", "sqs:DeleteMessage":
		return []reach{{sid: "Notices", resources: func(g Grant) []string { return g.arns("sqs:*:*:" + cmp.Or(g.Queue, DefaultQueue)) }}}
	case "ec2:RunInstances": // what it starts must carry the tag; images, subnets and the like can't
		return []reach{
			{sid: "StartOwnInstances", resources: instances, condition: has("aws:RequestTag/" + ownTag)},
			{sid: "StartFromAnything", resources: instances, except: true},
		}
	case "ec2:TerminateInstances", "ec2:StopInstances", "ec2:StartInstances", "ec2:RebootInstances", "ec2:GetConsoleOutput":
		return []reach{{sid: "ActOnOwnInstances", resources: instances, condition: has("aws:ResourceTag/" + ownTag), free: true}}
	case "ec2:ModifyInstanceAttribute", "ec2:AttachVolume", "ec2:DetachVolume", "ec2:CreateImage", "ec2:AttachNetworkInterface", "ec2:DetachNetworkInterface",
		"ec2:AssociateAddress", "ec2:DisassociateAddress": // what is put on an own instance, or taken off, may be the account's
		return []reach{
			{sid: "ChangeOwnInstances", resources: instances, condition: has("aws:ResourceTag/" + ownTag), free: true},
			{sid: "ChangeWithAnything", resources: instances, except: true},
		}
	case "ec2:DeleteFleets", "ec2:DeleteLaunchTemplate":
		return []reach{{sid: "TidyUp", resources: everything, condition: has("aws:ResourceTag/" + madeBy)}}
	case "ec2:CreateTags":
		return []reach{
			{sid: "TagWhatIsMade", resources: everything, condition: map[string]map[string][]string{"StringLike": {"ec2:CreateAction": {"RunInstances", "Create*"}}}},
			{sid: "TagOwnThings", resources: everything, condition: has("aws:ResourceTag/" + ownTag), free: true},
		}
	case "ec2:DeleteTags":
		return []reach{{sid: "TagOwnThings", resources: everything, condition: has("aws:ResourceTag/" + ownTag), free: true}}
	case "batch:RegisterJobDefinition", "batch:TagResource", "batch:SubmitJob": // into any queue, but only what is named as Neap's
		return []reach{{sid: "RunJobs", resources: func(g Grant) []string {
			return g.arns("batch:*:*:job-definition/neap-*", "batch:*:*:job-queue/*", "batch:*:*:job/*")
		}}}
	case "batch:TerminateJob":
		return []reach{{sid: "EndOwnJobs", resources: func(g Grant) []string { return g.arns("batch:*:*:job/*") }, condition: has("aws:ResourceTag/" + ownTag)}}
	case "logs:GetLogEvents":
		return []reach{{sid: "ReadOutputOfJobs", resources: func(g Grant) []string { return g.arns("logs:*:*:log-group:/aws/batch/job:*") }}}
	case "iam:PassRole":
		return []reach{{sid: "HandRolesToInstances", resources: func(g Grant) []string { return g.arns("iam::*:role/*") },
			condition: map[string]map[string][]string{"StringEquals": {"iam:PassedToService": {"ec2.amazonaws.com", "ec2.amazonaws.com.cn"}}}}}
	case "iam:CreateServiceLinkedRole":
		return []reach{{sid: "MakeRolesOfSpot", resources: func(g Grant) []string { return g.arns("iam::*:role/aws-service-role/*") },
			condition: map[string]map[string][]string{"StringEquals": {"iam:AWSServiceName": {"spot.amazonaws.com", "ec2fleet.amazonaws.com"}}}}}
	}
	if isReading(action) {
		return []reach{{sid: "Look", resources: everything}}
	}
	return []reach{{sid: "Act", resources: everything}}
}

// isReading tells an action that changes nothing. To receive a message changes the queue.
func isReading(action string) bool {
	service, verb, _ := strings.Cut(action, ":")
	return service != "sqs" && (strings.HasPrefix(verb, "Describe") || strings.HasPrefix(verb, "Get") || strings.HasPrefix(verb, "List"))
}

// A policy of IAM.
type (
	policy struct {
		Version   string       `json:"Version"`
		Statement []*statement `json:"Statement"`
	}
	statement struct {
		Sid         string                         `json:"Sid"`
		Effect      string                         `json:"Effect"`
		Action      []string                       `json:"Action"`
		Resource    []string                       `json:"Resource,omitempty"`
		NotResource []string                       `json:"NotResource,omitempty"`
		Condition   map[string]map[string][]string `json:"Condition,omitempty"`
	}
)

// Policy is the least that Neap's role needs in an account, as an IAM policy in JSON, indented.
func Policy(g Grant) (string, error) {
	document := policy{Version: "2012-10-17"}
	for _, p := range granted() {
		if g.ReadOnly && !isReading(p.action) {
			continue
		}
		for _, far := range reaches(p.action) {
			document.allow(g, p.action, far)
		}
	}
	slices.SortStableFunc(document.Statement, func(a, b *statement) int { return strings.Compare(a.Sid, b.Sid) })
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return "", fmt.Errorf("write the policy: %w", err)
	}
	return string(text), nil
}

func (p *policy) allow(g Grant, action string, far reach) {
	at := slices.IndexFunc(p.Statement, func(s *statement) bool { return s.Sid == far.sid })
	if at < 0 {
		s := &statement{Sid: far.sid, Effect: "Allow", Condition: far.condition}
		if far.except {
			s.NotResource = far.resources(g)
		} else {
			s.Resource = far.resources(g)
		}
		if far.free && g.AnyInstance {
			s.Condition = nil
		}
		at, p.Statement = len(p.Statement), append(p.Statement, s)
	}
	p.Statement[at].Action = append(p.Statement[at].Action, action)
}
