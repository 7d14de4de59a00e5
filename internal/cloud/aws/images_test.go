package aws_test

import (
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
)

// imageAnswer is how EC2 words an image.
const imageAnswer = `<imagesSet><item><imageId>ami-1</imageId><name>web</name><imageState>available</imageState><architecture>arm64</architecture><bootMode>uefi</bootMode>
	<virtualizationType>hvm</virtualizationType><enaSupport>true</enaSupport><imdsSupport>v2.0</imdsSupport><rootDeviceName>/dev/xvda</rootDeviceName><creationDate>2026-03-04T10:00:00.000Z</creationDate>
	<blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><snapshotId>snap-0</snapshotId><volumeSize>8</volumeSize><volumeType>gp3</volumeType><deleteOnTermination>true</deleteOnTermination></ebs></item>
	<item><deviceName>/dev/sdb</deviceName><virtualName>ephemeral0</virtualName></item></blockDeviceMapping>
	<tagSet><item><key>team</key><value>web</value></item></tagSet></item></imagesSet>`

func TestTheNameOfAnImageIsItsToken(t *testing.T) {
	account, played := play(t, map[string][]reply{
		"CreateImage":    {says("CreateImage", "<imageId>ami-1</imageId>"), denies("InvalidAMIName.Duplicate")},
		"DescribeImages": {says("DescribeImages", imageAnswer)},
	})
	spec := cloud.ImageSpec{Name: "web", Description: "of web", Tags: map[string]string{"team": "web"}}
	for range 2 {
		if id, err := account.CreateImage(t.Context(), "us-east-1", "i-1", spec, false); err != nil || id != "ami-1" {
			t.Errorf("%q, %v", id, err)
		}
	}
	played.asked(t, "CreateImage", map[string]string{
		"InstanceId": "i-1", "Name": "web", "Description": "of web", "NoReboot": "true",
		"TagSpecification.1.ResourceType": "image", "TagSpecification.2.ResourceType": "snapshot", "TagSpecification.2.Tag.1.Value": "web",
	})
	played.asked(t, "DescribeImages", map[string]string{"Owner.1": "self", "Filter.1.Name": "name", "Filter.1.Value.1": "web"})
	spec.Tags = map[string]string{"team": "ops"}
	_, err := account.CreateImage(t.Context(), "us-east-1", "i-1", spec, true)
	isRefused(t, err, cloud.BadRequest)
}

func TestAnImageIsRegisteredLikeAnother(t *testing.T) {
	account, played := play(t, map[string][]reply{"DescribeImages": {says("DescribeImages", imageAnswer)}, "RegisterImage": {says("RegisterImage", "<imageId>ami-2</imageId>")}})
	snapshots := map[string]string{"/dev/xvda": "snap-1", "/dev/sdf": "snap-2"}
	id, err := account.RegisterImage(t.Context(), "us-east-1", "ami-1", cloud.ImageSpec{Name: "saved", Tags: map[string]string{"a": "b"}}, snapshots)
	if err != nil || id != "ami-2" {
		t.Errorf("%q, %v", id, err)
	}
	played.asked(t, "RegisterImage", map[string]string{
		"Name": "saved", "Architecture": "arm64", "BootMode": "uefi", "VirtualizationType": "hvm", "EnaSupport": "true", "ImdsSupport": "v2.0", "RootDeviceName": "/dev/xvda",
		"BlockDeviceMapping.1.DeviceName": "/dev/sdf", "BlockDeviceMapping.1.Ebs.SnapshotId": "snap-2", "BlockDeviceMapping.1.Ebs.VolumeType": "",
		"BlockDeviceMapping.2.DeviceName": "/dev/xvda", "BlockDeviceMapping.2.Ebs.SnapshotId": "snap-1", "BlockDeviceMapping.2.Ebs.VolumeType": "gp3", "BlockDeviceMapping.2.Ebs.VolumeSize": "",
		"BlockDeviceMapping.2.Ebs.DeleteOnTermination": "true", "TagSpecification.1.ResourceType": "image",
	})
	_, err = account.RegisterImage(t.Context(), "us-east-1", "ami-1", cloud.ImageSpec{Name: "saved"}, map[string]string{"/dev/sdf": "snap-2"})
	isRefused(t, err, cloud.BadRequest)
	if played.count("RegisterImage") != 1 {
		t.Error("an image without a root was asked for")
	}
}

func TestAnImageThatIsNotThereIsLeftOut(t *testing.T) {
	account, played := play(t, map[string][]reply{"DescribeImages": {
		denies("InvalidAMIID.NotFound"), says("DescribeImages", imageAnswer), denies("InvalidAMIID.Unavailable"), denies("InvalidAMIID.Malformed"),
	}})
	found, err := account.Images(t.Context(), cloud.Query{Region: "us-east-1", IDs: []string{"ami-1", "ami-2"}})
	if err != nil || len(found) != 1 || found[0].ID != "ami-1" || !found[0].CreatedAt.Equal(time.Date(2026, time.March, 4, 10, 0, 0, 0, time.UTC)) {
		t.Fatalf("%+v, %v", found, err)
	}
	if !maps.Equal(found[0].Snapshots, map[string]string{"/dev/xvda": "snap-0"}) || found[0].Root != "/dev/xvda" || found[0].Tags["team"] != "web" {
		t.Errorf("%+v", found[0])
	}
	_, err = account.RegisterImage(t.Context(), "us-east-1", "x", cloud.ImageSpec{}, nil)
	isRefused(t, err, cloud.Unknown)
	played.asked(t, "DescribeImages", map[string]string{"ImageId.1": "ami-1", "ImageId.2": "", "Owner.1": "", "MaxResults": ""})
}

func TestAnImageTakesItsSnapshotsWithIt(t *testing.T) {
	result := func(code string) reply {
		return says("DeregisterImage", "<return>true</return><deleteSnapshotResultSet><item><snapshotId>snap-1</snapshotId><returnCode>"+code+"</returnCode></item></deleteSnapshotResultSet>")
	}
	account, played := play(t, map[string][]reply{"DeregisterImage": {result("success"), result("skipped"), result("missing-permissions"), result("internal-error"), denies("InvalidAMIID.Unavailable")}})
	for range 2 {
		if err := account.DeregisterImage(t.Context(), "us-east-1", "ami-1", true); err != nil {
			t.Error(err)
		}
	}
	played.asked(t, "DeregisterImage", map[string]string{"ImageId": "ami-1", "DeleteAssociatedSnapshots": "true"})
	isRefused(t, account.DeregisterImage(t.Context(), "us-east-1", "ami-1", true), cloud.Denied)
	var refusal *cloud.Refusal
	if err := account.DeregisterImage(t.Context(), "us-east-1", "ami-1", true); err == nil || errors.As(err, &refusal) {
		t.Errorf("a snapshot that stays: %v", err)
	}
	isRefused(t, account.DeregisterImage(t.Context(), "us-east-1", "ami-1", true), cloud.Unknown)
}
