package aws_test

import (
	"fmt"
	"testing"

	"github.com/neap-cloud/neap/internal/cloud"
)

// volumeAnswer is how EC2 words a volume; at is its attachment's instance, "" = none.
func volumeAnswer(id, at, state string, ends bool) string {
	attachment := ""
	if at != "" {
		attachment = fmt.Sprintf(`<item><volumeId>%s</volumeId><instanceId>%s</instanceId><device>/dev/sdf</device><status>%s</status><deleteOnTermination>%v</deleteOnTermination></item>`, id, at, state, ends)
	}
	return `<item><volumeId>` + id + `</volumeId><size>8</size><status>in-use</status><createTime>2026-03-04T10:00:00Z</createTime><attachmentSet>` + attachment + `</attachmentSet></item>`
}

func volumeAnswers(token string, volumes ...string) reply {
	all := "<volumeSet>"
	for _, v := range volumes {
		all += v
	}
	return says("DescribeVolumes", all+"</volumeSet><nextToken>"+token+"</nextToken>")
}

func TestVolumesAreReadToTheLastPageAndTheirIdsInParts(t *testing.T) {
	account, played := play(t, map[string][]reply{"DescribeVolumes": {
		volumeAnswers("more", volumeAnswer("vol-2", "", "", false)), volumeAnswers("", volumeAnswer("vol-1", "i-1", "detached", false), volumeAnswer("vol-3", "i-1", "busy", true)), volumeAnswers(""),
	}})
	ids := make([]string, 201)
	for n := range ids {
		ids[n] = fmt.Sprint("vol-", n)
	}
	found, err := account.Volumes(t.Context(), cloud.AttachedQuery{Query: cloud.Query{Region: "us-east-1", IDs: ids, Tags: map[string]string{`a*`: "", "b": `1*?\`}}})
	if err != nil || len(found) != 3 || found[0].ID != "vol-1" || found[1].ID != "vol-2" || found[2].ID != "vol-3" {
		t.Fatalf("%+v, %v", found, err)
	}
	if len(found[0].Attachments) != 0 || len(found[2].Attachments) != 1 || found[2].Attachments[0].Settled || found[2].Attachments[0].Kept {
		t.Errorf("attached: %+v", found)
	}
	played.asked(t, "DescribeVolumes", map[string]string{"NextToken": "more", "Filter.1.Name": "tag-key", "Filter.1.Value.1": `a\*`, "Filter.2.Name": "tag:b", "Filter.2.Value.1": `1\*\?\\`, "Filter.3.Value.200": "vol-199"})
	played.asked(t, "DescribeVolumes", map[string]string{"Filter.3.Name": "volume-id", "Filter.3.Value.1": "vol-200", "Filter.3.Value.2": ""})
	if played.count("DescribeVolumes") != 3 {
		t.Errorf("%d calls", played.count("DescribeVolumes"))
	}
}

func TestAVolumeIsMadeWithItsToken(t *testing.T) {
	account, played := play(t, map[string][]reply{"CreateVolume": {
		says("CreateVolume", "<volumeId>vol-1</volumeId><size>8</size><status>creating</status><encrypted>true</encrypted><kmsKeyId>arn:key</kmsKeyId>"), denies("IdempotentParameterMismatch"), denies("VolumeLimitExceeded"),
	}})
	spec := cloud.VolumeSpec{Token: "t-1", Zone: "us-east-1a", Snapshot: "snap-1", Encrypted: true, Key: "arn:key", Type: "gp3", Tags: map[string]string{"a": "b"}}
	made, err := account.CreateVolume(t.Context(), "us-east-1", spec)
	if err != nil || made.ID != "vol-1" || made.GiB != 8 || made.State != cloud.VolumeCreating || !made.Encrypted || made.Key != "arn:key" {
		t.Errorf("%+v, %v", made, err)
	}
	played.asked(t, "CreateVolume", map[string]string{
		"ClientToken": "t-1", "AvailabilityZone": "us-east-1a", "SnapshotId": "snap-1", "Encrypted": "true", "KmsKeyId": "arn:key", "VolumeType": "gp3", "Size": "", "Iops": "", "Throughput": "",
		"TagSpecification.1.ResourceType": "volume", "TagSpecification.1.Tag.1.Key": "a", "TagSpecification.1.Tag.1.Value": "b",
	})
	_, err = account.CreateVolume(t.Context(), "us-east-1", spec)
	isRefused(t, err, cloud.BadRequest)
	_, err = account.CreateVolume(t.Context(), "us-east-1", spec)
	isRefused(t, err, cloud.NoQuota)
}

func TestAttachingWhatIsAttachedThereAlreadyIsNoError(t *testing.T) {
	account, _ := play(t, map[string][]reply{"AttachVolume": {denies("VolumeInUse")}, "DescribeVolumes": {volumeAnswers("", volumeAnswer("vol-1", "i-1", "attaching", true))}})
	if err := account.AttachVolume(t.Context(), "us-east-1", "vol-1", "i-1", "/dev/sdf"); err != nil {
		t.Error(err)
	}
	isRefused(t, account.AttachVolume(t.Context(), "us-east-1", "vol-1", "i-1", "/dev/sdg"), cloud.BadRequest)
	isRefused(t, account.AttachVolume(t.Context(), "us-east-1", "vol-1", "i-2", "/dev/sdf"), cloud.BadRequest)
}

func TestDetachingWhatIsJustComingOffIsNoError(t *testing.T) {
	attached, off := volumeAnswers("", volumeAnswer("vol-1", "i-1", "attached", true)), volumeAnswers("", volumeAnswer("vol-1", "", "", false))
	account, played := play(t, map[string][]reply{"DetachVolume": {denies("IncorrectState")}, "DescribeVolumes": {attached, off, attached}})
	if err := account.DetachVolume(t.Context(), "us-east-1", "vol-1", true); err != nil {
		t.Error(err)
	}
	played.asked(t, "DetachVolume", map[string]string{"VolumeId": "vol-1", "InstanceId": "i-1", "Device": "/dev/sdf", "Force": "true"})
	isRefused(t, account.DetachVolume(t.Context(), "us-east-1", "vol-1", false), cloud.BadRequest)
}

func TestVolumesAreKeptByDevice(t *testing.T) {
	account, played := play(t, map[string][]reply{
		"ModifyInstanceAttribute": {says("ModifyInstanceAttribute", "<return>true</return>")}, "DescribeVolumes": {volumeAnswers("", volumeAnswer("vol-1", "i-1", "attached", false))},
	})
	if err := account.KeepVolumes(t.Context(), "us-east-1", "i-1", []string{"/dev/xvda", "/dev/sdf"}, true); err != nil {
		t.Error(err)
	}
	played.asked(t, "ModifyInstanceAttribute", map[string]string{
		"InstanceId": "i-1", "BlockDeviceMapping.1.DeviceName": "/dev/xvda", "BlockDeviceMapping.1.Ebs.DeleteOnTermination": "false",
		"BlockDeviceMapping.2.DeviceName": "/dev/sdf", "BlockDeviceMapping.2.Ebs.DeleteOnTermination": "false",
	})
	found, err := account.Volumes(t.Context(), cloud.AttachedQuery{Query: cloud.Query{Region: "us-east-1"}, Instance: "i-1"})
	if err != nil || len(found) != 1 || !found[0].Attachments[0].Kept || !found[0].Attachments[0].Settled {
		t.Errorf("%+v, %v", found, err)
	}
	played.asked(t, "DescribeVolumes", map[string]string{"Filter.1.Name": "attachment.instance-id", "Filter.1.Value.1": "i-1"})
	if err := account.KeepVolumes(t.Context(), "us-east-1", "i-1", nil, true); err != nil || played.count("ModifyInstanceAttribute") != 1 {
		t.Errorf("no devices: %v", err)
	}
}

func TestASnapshotTellsHowFarItIs(t *testing.T) {
	account, _ := play(t, map[string][]reply{
		"DescribeSnapshots": {says("DescribeSnapshots", `<snapshotSet><item><snapshotId>snap-1</snapshotId><status>pending</status><progress>37%</progress></item>
			<item><snapshotId>snap-2</snapshotId><status>pending</status></item></snapshotSet>`)},
		"CreateSnapshot": {denies("SnapshotCreationPerVolumeRateExceeded")},
		"DeleteSnapshot": {denies("InvalidSnapshot.InUse")},
	})
	found, err := account.Snapshots(t.Context(), cloud.Query{Region: "us-east-1"})
	if err != nil || len(found) != 2 || found[0].Percent != 37 || found[0].State != cloud.SnapshotPending || found[1].Percent != 0 {
		t.Errorf("%+v, %v", found, err)
	}
	_, err = account.CreateSnapshot(t.Context(), "us-east-1", "vol-1", "", nil)
	isRefused(t, err, cloud.Throttled)
	isRefused(t, account.DeleteSnapshot(t.Context(), "us-east-1", "snap-1"), cloud.BadRequest)
}
