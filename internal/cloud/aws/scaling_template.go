package aws

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	scaling "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/neap-cloud/neap/internal/cloud"
)

const (
	templatePage   = 200 // versions of launch templates
	fewTemplates   = 5   // up to so many are asked for one by one; the list of all that the account has may be long
	latestVersion  = "$Latest"
	defaultVersion = "$Default"
)

// templateVersion names a version of a launch template by its number, $Latest or $Default.
type templateVersion struct{ template, version string }

// launchTemplateOf is what a group launches from; its zero value stands for none.
func launchTemplateOf(g scaling.AutoScalingGroup) templateVersion {
	given := g.LaunchTemplate
	if p := g.MixedInstancesPolicy; p != nil && p.LaunchTemplate != nil {
		given = p.LaunchTemplate.LaunchTemplateSpecification
	}
	if given == nil || given.LaunchTemplateId == nil { // AWS tells the id even of a template that was given by its name
		return templateVersion{}
	}
	return templateVersion{*given.LaunchTemplateId, cmp.Or(awssdk.ToString(given.Version), defaultVersion)}
}

// templatesOf are the versions that the groups launch from, by the id of their template.
func templatesOf(groups []scaling.AutoScalingGroup) map[string][]string {
	wanted := map[string][]string{}
	for _, g := range groups {
		if of := launchTemplateOf(g); of.template != "" && !slices.Contains(wanted[of.template], of.version) {
			wanted[of.template] = append(wanted[of.template], of.version)
		}
	}
	return wanted
}

// launchTemplates are versions of launch templates as AWS listed them, by the id of their template.
type launchTemplates map[string][]types.LaunchTemplateVersion

// version finds one of them. Where the latest was asked for it is the one with the highest number.
func (l launchTemplates) version(of templateVersion) (data types.ResponseLaunchTemplateData, found bool) {
	var highest int64
	for _, v := range l[of.template] {
		n := awssdk.ToInt64(v.VersionNumber)
		is := strconv.FormatInt(n, 10) == of.version || of.version == defaultVersion && awssdk.ToBool(v.DefaultVersion) || of.version == latestVersion && n > highest
		if is && v.LaunchTemplateData != nil {
			data, found, highest = *v.LaunchTemplateData, true, n
		}
	}
	return data, found
}

// launchTemplates reads the versions that are wanted of each template; a template or a version that is deleted is not there. Those wanted only by $Latest and
// $Default come all in one listing when they are many.
func (r *region) launchTemplates(ctx context.Context, wanted map[string][]string) (launchTemplates, error) {
	found := launchTemplates{}
	byAlias := maps.Clone(wanted)
	maps.DeleteFunc(byAlias, func(_ string, versions []string) bool {
		return slices.ContainsFunc(versions, func(v string) bool { return v != latestVersion && v != defaultVersion })
	})
	if len(byAlias) > fewTemplates {
		if err := r.readTemplates(ctx, found, "", []string{latestVersion, defaultVersion}); err != nil {
			return nil, err
		}
	}
	for id, versions := range wanted {
		if _, have := byAlias[id]; have && len(byAlias) > fewTemplates {
			continue
		}
		err := r.readTemplates(ctx, found, id, versions)
		if isKind(err, cloud.Unknown) {
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// readTemplates adds versions of one template, or with id "" of all.
func (r *region) readTemplates(ctx context.Context, found launchTemplates, id string, versions []string) error {
	for chunk := range slices.Chunk(versions, templatePage) {
		part, err := pages(func(token *string) ([]types.LaunchTemplateVersion, *string, error) {
			in := &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: given(id), Versions: chunk, NextToken: token, MaxResults: awssdk.Int32(templatePage)}
			page, err := r.ec2.DescribeLaunchTemplateVersions(ctx, in)
			if err != nil {
				return nil, nil, refused("DescribeLaunchTemplateVersions", r.name, err)
			}
			return page.LaunchTemplateVersions, page.NextToken, nil
		})
		if err != nil {
			return err
		}
		for _, v := range part {
			of := awssdk.ToString(v.LaunchTemplateId)
			found[of] = append(found[of], v)
		}
	}
	return nil
}

// templated adds what a launch template says.
func templated(group *cloud.ScalingGroup, t types.ResponseLaunchTemplateData) {
	if group.Types == nil && t.InstanceType != "" {
		group.Types = []string{string(t.InstanceType)}
	}
	if m := t.InstanceMarketOptions; m != nil && m.MarketType == types.MarketTypeSpot {
		group.Mix.OnDemandPercent = 0
	}
	group.Template = cloud.Template{
		Image: awssdk.ToString(t.ImageId), KeyPair: awssdk.ToString(t.KeyName), SecurityGroups: append(slices.Clone(t.SecurityGroupIds), t.SecurityGroups...),
		UserData: awssdk.ToString(t.UserData), EBSOptimized: awssdk.ToBool(t.EbsOptimized), Monitoring: t.Monitoring != nil && awssdk.ToBool(t.Monitoring.Enabled),
		Shutdown: string(t.InstanceInitiatedShutdownBehavior),
	}
	if p := t.IamInstanceProfile; p != nil {
		group.Template.Role = cmp.Or(awssdk.ToString(p.Arn), awssdk.ToString(p.Name))
	}
	if p := t.Placement; p != nil {
		group.Template.Tenancy, group.Template.PlacementGroup = string(p.Tenancy), awssdk.ToString(p.GroupName)
	}
	for _, n := range t.NetworkInterfaces {
		if number(n.DeviceIndex) == 0 { // where a template has interfaces, the first of them has the groups
			group.Template.SecurityGroups = append(group.Template.SecurityGroups, n.Groups...)
			group.Template.PublicIP = n.AssociatePublicIpAddress
		}
	}
}
