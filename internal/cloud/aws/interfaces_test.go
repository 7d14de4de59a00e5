package aws_test

import (
	"testing"

	"github.com/neap-cloud/neap/internal/cloud"
)

// interfaceAnswer is how EC2 words a network interface; at is its attachment's instance, "" = none.
func interfaceAnswer(at string) string {
	attachment := ""
	if at != "" {
		attachment = `<attachment><attachmentId>eni-attach-1</attachmentId><instanceId>` + at + `</instanceId><deviceIndex>1</deviceIndex><status>attached</status><deleteOnTermination>false</deleteOnTermination></attachment>`
	}
	return `<networkInterfaceId>eni-1</networkInterfaceId><subnetId>subnet-1</subnetId><status>in-use</status><privateIpAddress>10.0.0.7</privateIpAddress>
		<association><publicIp>192.0.2.1</publicIp></association><groupSet><item><groupId>sg-1</groupId></item></groupSet>` + attachment
}

func interfaceAnswers(at string) reply {
	return says("DescribeNetworkInterfaces", "<networkInterfaceSet><item>"+interfaceAnswer(at)+"</item></networkInterfaceSet>")
}

func TestANetworkInterfaceIsMadeWithItsToken(t *testing.T) {
	account, played := play(t, map[string][]reply{"CreateNetworkInterface": {
		says("CreateNetworkInterface", "<networkInterface>"+interfaceAnswer("")+"</networkInterface>"), denies("IdempotentParameterMismatch"), denies("InsufficientFreeAddressesInSubnet"), denies("InvalidIPAddress.InUse"),
	}})
	spec := cloud.InterfaceSpec{Token: "t-1", Subnet: "subnet-1", Groups: []string{"sg-1"}, PrivateIP: "10.0.0.7", Tags: map[string]string{"a": "b"}}
	made, err := account.CreateInterface(t.Context(), "us-east-1", spec)
	if err != nil || made.ID != "eni-1" || made.PrivateIP != "10.0.0.7" || made.PublicIP != "192.0.2.1" || made.Groups[0] != "sg-1" || made.Attachment != nil {
		t.Errorf("%+v, %v", made, err)
	}
	played.asked(t, "CreateNetworkInterface", map[string]string{
		"ClientToken": "t-1", "SubnetId": "subnet-1", "SecurityGroupId.1": "sg-1", "PrivateIpAddress": "10.0.0.7", "TagSpecification.1.ResourceType": "network-interface",
	})
	_, err = account.CreateInterface(t.Context(), "us-east-1", spec)
	isRefused(t, err, cloud.BadRequest)
	_, err = account.CreateInterface(t.Context(), "us-east-1", spec)
	if full := isRefused(t, err, cloud.NoCapacity); full.Scope != cloud.ScopeSubnet || full.Key != "subnet-1" {
		t.Errorf("%+v", full)
	}
	_, err = account.CreateInterface(t.Context(), "us-east-1", spec)
	isRefused(t, err, cloud.BadRequest)
}

func TestANetworkInterfaceIsKeptByItsAttachment(t *testing.T) {
	account, played := play(t, map[string][]reply{"DescribeNetworkInterfaces": {interfaceAnswers("i-1")}, "ModifyNetworkInterfaceAttribute": {says("ModifyNetworkInterfaceAttribute", "<return>true</return>")}})
	if err := account.KeepInterface(t.Context(), "us-east-1", "eni-1", true); err != nil {
		t.Error(err)
	}
	played.asked(t, "ModifyNetworkInterfaceAttribute", map[string]string{"NetworkInterfaceId": "eni-1", "Attachment.AttachmentId": "eni-attach-1", "Attachment.DeleteOnTermination": "false"})
	found, err := account.Interfaces(t.Context(), cloud.AttachedQuery{Query: cloud.Query{Region: "us-east-1"}, Instance: "i-1"})
	if err != nil || len(found) != 1 || !found[0].Attachment.Kept || !found[0].Attachment.Settled || found[0].State != cloud.InterfaceInUse {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestWhatIsAttachedOrDetachedAlreadyIsNoError(t *testing.T) {
	account, _ := play(t, map[string][]reply{
		"AttachNetworkInterface":    {denies("InvalidParameterValue")},
		"DetachNetworkInterface":    {denies("IncorrectState")},
		"DescribeNetworkInterfaces": {interfaceAnswers("i-1"), interfaceAnswers("i-1"), interfaceAnswers("i-1"), interfaceAnswers(""), interfaceAnswers("i-1")},
		"AssociateAddress":          {denies("Resource.AlreadyAssociated")},
		"DescribeAddresses":         {says("DescribeAddresses", "<addressesSet><item><allocationId>eipalloc-1</allocationId><instanceId>i-1</instanceId></item></addressesSet>")},
	})
	if err := account.AttachInterface(t.Context(), "us-east-1", "eni-1", "i-1", 1); err != nil {
		t.Error(err)
	}
	isRefused(t, account.AttachInterface(t.Context(), "us-east-1", "eni-1", "i-2", 1), cloud.BadRequest)
	if err := account.DetachInterface(t.Context(), "us-east-1", "eni-1", false); err != nil {
		t.Error(err)
	}
	isRefused(t, account.DetachInterface(t.Context(), "us-east-1", "eni-1", false), cloud.BadRequest)
	if err := account.AssociateAddress(t.Context(), "us-east-1", "eipalloc-1", "i-1", false); err != nil {
		t.Error(err)
	}
	isRefused(t, account.AssociateAddress(t.Context(), "us-east-1", "eipalloc-1", "i-2", false), cloud.BadRequest)
}
