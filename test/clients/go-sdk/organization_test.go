package gosdk

import (
	"slices"
	"testing"

	"github.com/spotinst/spotinst-sdk-go/service/account"
	"github.com/spotinst/spotinst-sdk-go/service/account/providers/aws"
	"github.com/spotinst/spotinst-sdk-go/service/account/providers/azure"
	"github.com/spotinst/spotinst-sdk-go/service/account/providers/common"
	"github.com/spotinst/spotinst-sdk-go/service/account/providers/gcp"
	"github.com/spotinst/spotinst-sdk-go/service/organization"
	"github.com/spotinst/spotinst-sdk-go/spotinst"
	"github.com/spotinst/spotinst-sdk-go/spotinst/credentials"
	"github.com/spotinst/spotinst-sdk-go/spotinst/session"
)

// tenant is an organisation as its administrator's client sees it.
type tenant struct {
	scene
	org     *organization.ServiceOp
	clouds  *account.ServiceOp
	account string // made by the story
}

func TestTheOfficialClientManagesUsersAndAccounts(t *testing.T) {
	s := start(t)
	config := spotinst.DefaultConfig().WithBaseURL(s.url).WithCredentials(credentials.NewStaticCredentials(s.token, s.account))
	o := &tenant{scene: scene{server: s, t: t, ctx: t.Context()}, org: organization.New(session.New(config)), clouds: account.New(session.New(config))}
	for _, step := range []struct {
		name string
		run  func()
	}{
		{"an account is made, found again and read", o.accounts},
		{"it is connected to AWS", o.aws},
		{"it is connected to GCP", o.gcp},
		{"it is connected to Azure", o.azure},
		{"policies are made, listed, changed and deleted", o.policies},
		{"people are made, mapped and deleted", o.people},
		{"programs are made, read and deleted", o.programs},
		{"user groups are made, mapped and deleted", o.groups},
		{"the account is deleted", o.unmake},
	} {
		if !t.Run(step.name, func(t *testing.T) { o.t = t; step.run() }) {
			t.Fatalf("stopped at: %s", step.name)
		}
	}
}

// is reports a text that the client did not read as expected.
func (o *tenant) is(what string, got *string, want string) {
	o.t.Helper()
	if spotinst.StringValue(got) != want {
		o.t.Errorf("%s is %q, want %q", what, spotinst.StringValue(got), want)
	}
}

// gone checks the code by which the client's users know that something is not there.
func (o *tenant) gone(what, code string, err error) {
	o.t.Helper()
	if got, _ := o.code(err); got != code {
		o.t.Errorf("%s answers %s, want %s", what, got, code)
	}
}

func (o *tenant) accounts() {
	made, err := o.clouds.CloudProviderCommon().CreateAccount(o.ctx, &common.CreateAccountInput{Account: &common.Account{Name: spotinst.String("From Go")}})
	o.ok(err)
	o.account = spotinst.StringValue(made.Account.ID)
	again, err := o.clouds.CloudProviderCommon().CreateAccount(o.ctx, &common.CreateAccountInput{Account: &common.Account{Name: spotinst.String("From Go")}})
	o.ok(err) // this client looks for an account of that name first
	o.is("the account of the same name", again.Account.ID, o.account)
	read, err := o.clouds.CloudProviderAWS().ReadAccount(o.ctx, &aws.ReadAccountInput{AccountID: &o.account})
	o.ok(err)
	o.is("its name", read.Account.Name, "From Go")
	o.is("its id", read.Account.AccountId, o.account)
	if read.Account.CreatedAt == nil || spotinst.StringValue(read.Account.OrganizationId) == "" {
		o.t.Errorf("read is %+v", read.Account)
	}
	_, err = o.clouds.CloudProviderAWS().ReadAccount(o.ctx, &aws.ReadAccountInput{AccountID: spotinst.String("act-00000000")})
	o.gone("an account of nobody", "Account_DOESNT_EXIST", err)
}

func (o *tenant) aws() {
	const role = "arn:aws:iam::123456789012:role/Neap"
	cloud := o.clouds.CloudProviderAWS()
	_, err := cloud.ReadCredentials(o.ctx, &aws.ReadCredentialsInput{AccountId: &o.account})
	o.gone("an account without credentials", "Account_DOESNT_EXIST", err)
	_, err = cloud.Credentials(o.ctx, &aws.SetCredentialsInput{Credentials: &aws.Credentials{AccountId: spotinst.String(o.account), IamRole: spotinst.String(role)}})
	o.gone("a role without an external id", "INVALID_EXTERNAL_ID", err)
	offered, err := cloud.CreateAWSAccountExternalId(o.ctx, &aws.CreateAWSAccountExternalIdInput{AccountID: &o.account})
	o.ok(err)
	shown, err := cloud.ReadAWSAccountExternalId(o.ctx, &aws.ReadAWSAccountExternalIdInput{AccountID: &o.account})
	o.ok(err)
	o.is("the external id", shown.AwsAccountExternalId.ExternalId, spotinst.StringValue(offered.AWSAccountExternalId.ExternalId))
	o.is("its account", offered.AWSAccountExternalId.AccountId, o.account)
	_, err = cloud.Credentials(o.ctx, &aws.SetCredentialsInput{Credentials: &aws.Credentials{AccountId: spotinst.String(o.account), IamRole: spotinst.String(role)}})
	o.ok(err)
	read, err := cloud.ReadCredentials(o.ctx, &aws.ReadCredentialsInput{AccountId: &o.account})
	o.ok(err)
	o.is("the role", read.Credentials.IamRole, role)
	known, err := cloud.ReadAccount(o.ctx, &aws.ReadAccountInput{AccountID: &o.account})
	o.ok(err)
	o.is("the cloud's own id", known.Account.ProviderExternalId, "123456789012")
	o.is("the cloud", known.Account.CloudProvider, "AWS")
}

func (o *tenant) gcp() {
	cloud := o.clouds.CloudProviderGCP()
	_, err := cloud.ReadServiceAccount(o.ctx, &gcp.ReadServiceAccountsInput{AccountId: &o.account})
	o.gone("an account without a service account", "ServiceAccount_DOESNT_EXIST", err)
	key := &gcp.ServiceAccounts{
		AccountId: spotinst.String(o.account), Type: spotinst.String("service_account"), ProjectId: spotinst.String("lab-project"), PrivateKey: spotinst.String("private"),
		ClientEmail: spotinst.String("neap@lab-project.iam.gserviceaccount.com"),
	}
	_, err = cloud.SetServiceAccount(o.ctx, &gcp.SetServiceAccountsInput{ServiceAccounts: key})
	o.ok(err)
	read, err := cloud.ReadServiceAccount(o.ctx, &gcp.ReadServiceAccountsInput{AccountId: &o.account})
	o.ok(err)
	o.is("the project", read.ServiceAccounts.ProjectId, "lab-project")
	o.is("the key", read.ServiceAccounts.PrivateKey, "")
}

func (o *tenant) azure() {
	cloud := o.clouds.CloudProviderAzure()
	_, err := cloud.ReadCredentials(o.ctx, &azure.ReadCredentialsInput{AccountId: &o.account})
	o.gone("an account without an app", "Account_DOESNT_EXIST", err)
	app := &azure.Credentials{
		AccountId: spotinst.String(o.account), ClientId: spotinst.String("11111111-2222-3333-4444-555555555555"), ClientSecret: spotinst.String("secret"),
		TenantId: spotinst.String("21111111-2222-3333-4444-555555555555"), SubscriptionId: spotinst.String("31111111-2222-3333-4444-555555555555"),
		ExpirationDate: spotinst.String("2099-12-31T23:59:00.000Z"),
	}
	_, err = cloud.SetCredentials(o.ctx, &azure.SetCredentialsInput{Credentials: app})
	o.ok(err)
	read, err := cloud.ReadCredentials(o.ctx, &azure.ReadCredentialsInput{AccountId: &o.account})
	o.ok(err)
	o.is("the subscription", read.Credentials.SubscriptionId, "31111111-2222-3333-4444-555555555555")
	o.is("the secret", read.Credentials.ClientSecret, "")
}

func (o *tenant) policy(name string) string {
	o.t.Helper()
	made, err := o.org.CreatePolicy(o.ctx, &organization.CreatePolicyInput{Policy: &organization.Policy{
		Name: spotinst.String(name), Description: spotinst.String("From Go."), PolicyContent: &organization.PolicyContent{Statements: []*organization.Statement{
			{Effect: spotinst.String("ALLOW"), Actions: []string{"elastigroup:*"}, Resources: []string{"*"}},
		}},
	}})
	o.ok(err)
	return spotinst.StringValue(made.Policy.PolicyID)
}

func (o *tenant) policies() {
	id := o.policy("elastigroups")
	_, err := o.org.UpdatePolicy(o.ctx, &organization.UpdatePolicyInput{Policy: &organization.Policy{PolicyID: spotinst.String(id), Name: spotinst.String("renamed")}})
	o.ok(err)
	read, err := o.org.ReadPolicy(o.ctx, &organization.ReadPolicyInput{PolicyID: &id})
	o.ok(err)
	o.is("its name", read.Policy.Name, "renamed")
	if s := read.Policy.PolicyContent.Statements; len(s) != 1 || spotinst.StringValue(s[0].Effect) != "ALLOW" || !slices.Equal(s[0].Actions, []string{"elastigroup:*"}) {
		o.t.Errorf("it says %+v", s)
	}
	all, err := o.org.ListPolicies(o.ctx, &organization.ListPoliciesInput{})
	o.ok(err)
	if len(all.Policies) < 2 {
		o.t.Errorf("%d policies are listed, the standard ones are missing", len(all.Policies))
	}
	_, err = o.org.DeletePolicy(o.ctx, &organization.DeletePolicyInput{PolicyID: &id})
	o.ok(err)
	read, err = o.org.ReadPolicy(o.ctx, &organization.ReadPolicyInput{PolicyID: &id})
	o.ok(err)
	if read.Policy != nil {
		o.t.Errorf("deleted, it is %+v", read.Policy)
	}
}

func (o *tenant) people() {
	policy := o.policy("for people")
	made, err := o.org.CreateUser(o.ctx, &organization.User{
		FirstName: spotinst.String("Ada"), LastName: spotinst.String("Byron"), Email: spotinst.String("ada@example.com"), Password: spotinst.String("Password-1234"), Role: spotinst.String("viewer"),
	}, spotinst.Bool(true))
	o.ok(err)
	u := made.User
	id := spotinst.StringValue(u.UserID)
	if id == "" || spotinst.IntValue(u.Id) == 0 || spotinst.IntValue(u.OrganizationId) == 0 || spotinst.StringValue(u.PersonalAccessToken) == "" {
		o.t.Errorf("made is %+v", u)
	}
	o.is("the name", u.DisplayName, "Ada Byron")
	o.ok(o.org.UpdatePolicyMappingOfUser(o.ctx, &organization.UpdatePolicyMappingOfUserInput{UserID: spotinst.String(id), Policies: []*organization.UserPolicy{
		{PolicyId: spotinst.String(policy), AccountIds: []string{o.account}},
	}}))
	read, err := o.org.ReadUser(o.ctx, &organization.ReadUserInput{UserID: &id})
	o.ok(err)
	o.is("the kind", read.User.Type, "personal")
	if p := read.User.Policies; len(p) != 1 || spotinst.StringValue(p[0].PolicyId) != policy || !slices.Equal(p[0].AccountIds, []string{o.account}) {
		o.t.Errorf("the policies are %+v", p)
	}
	if k := read.User.Tokens; len(k) != 1 || spotinst.IntValue(k[0].TokenId) == 0 || k[0].CreatedAt == nil {
		o.t.Errorf("the tokens are %+v", k)
	}
	all, err := o.org.ListUsers(o.ctx, &organization.ListUsersInput{})
	o.ok(err)
	if !slices.ContainsFunc(all.Users, func(u *organization.User) bool { return spotinst.StringValue(u.UserID) == id }) {
		o.t.Errorf("%s is not among %d users", id, len(all.Users))
	}
	_, err = o.org.DeleteUser(o.ctx, &organization.DeleteUserInput{UserID: &id})
	o.ok(err)
	_, err = o.org.ReadUser(o.ctx, &organization.ReadUserInput{UserID: &id})
	o.gone("a deleted user", "USER_DOESNT_EXIST", err)
}

func (o *tenant) programs() {
	policy := o.policy("for programs")
	made, err := o.org.CreateProgUser(o.ctx, &organization.ProgrammaticUser{
		Name: spotinst.String("robot"), Description: spotinst.String("From Go."), Accounts: []*organization.Account{{Id: spotinst.String(o.account), Role: spotinst.String("editor")}},
		Policies: []*organization.ProgPolicy{{PolicyId: spotinst.String(policy), AccountIds: []string{"*"}}},
	})
	o.ok(err)
	id := spotinst.StringValue(made.ProgrammaticUser.ProgUserId)
	if spotinst.StringValue(made.ProgrammaticUser.Token) == "" {
		o.t.Error("it has no token")
	}
	read, err := o.org.ReadProgUser(o.ctx, &organization.ReadUserInput{UserID: &id})
	o.ok(err)
	p := read.ProgUser
	o.is("the name", p.Name, "robot")
	o.is("the description", p.Description, "From Go.")
	if len(p.Policies) != 1 || len(p.Accounts) != 1 || spotinst.StringValue(p.Accounts[0].Role) != "editor" || p.Token != nil {
		o.t.Errorf("read is %+v", p)
	}
	_, err = o.org.DeleteUser(o.ctx, &organization.DeleteUserInput{UserID: &id})
	o.ok(err)
}

func (o *tenant) groups() {
	policy := o.policy("for groups")
	robot, err := o.org.CreateProgUser(o.ctx, &organization.ProgrammaticUser{Name: spotinst.String("member")})
	o.ok(err)
	user := spotinst.StringValue(robot.ProgrammaticUser.ProgUserId)
	made, err := o.org.CreateUserGroup(o.ctx, &organization.UserGroup{
		Name: spotinst.String("Developers"), Description: spotinst.String("From Go."), UserIds: []string{user},
		Policies: []*organization.UserGroupPolicy{{PolicyId: spotinst.String(policy), AccountIds: []string{o.account}}},
	})
	o.ok(err)
	id := spotinst.StringValue(made.UserGroup.UserGroupId)
	o.ok(o.org.UpdateUserGroup(o.ctx, &organization.UserGroup{UserGroupId: spotinst.String(id), Name: spotinst.String("Devs")}))
	o.ok(o.org.UpdatePolicyMappingOfUserGroup(o.ctx, &organization.UpdatePolicyMappingOfUserGroupInput{UserGroupId: spotinst.String(id), Policies: []*organization.UserPolicy{
		{PolicyId: spotinst.String(policy), AccountIds: []string{"*"}},
	}}))
	read, err := o.org.ReadUserGroup(o.ctx, &organization.ReadUserGroupInput{UserGroupID: &id})
	o.ok(err)
	g := read.UserGroup
	o.is("the name", g.Name, "Devs")
	if len(g.Users) != 1 || spotinst.StringValue(g.Users[0].UserId) != user || len(g.Policies) != 1 || !slices.Equal(g.Policies[0].AccountIds, []string{"*"}) || g.CreatedAt == nil {
		o.t.Errorf("read is %+v", g)
	}
	o.ok(o.org.UpdateUserMappingOfUserGroup(o.ctx, &organization.UpdateUserMappingOfUserGroupInput{UserGroupId: spotinst.String(id)}))
	o.ok(o.org.UpdateUserGroupMappingOfUser(o.ctx, &organization.UpdateUserGroupMappingOfUserInput{UserID: spotinst.String(user), UserGroupIds: []string{id}}))
	all, err := o.org.ListUserGroups(o.ctx, &organization.ListUserGroupsInput{})
	o.ok(err)
	if len(all.UserGroups) != 1 || spotinst.IntValue(all.UserGroups[0].UsersCount) != 1 || !slices.Equal(all.UserGroups[0].PolicyNames, []string{"for groups"}) {
		o.t.Errorf("listed is %+v", all.UserGroups)
	}
	_, err = o.org.DeleteUserGroup(o.ctx, &organization.DeleteUserGroupInput{UserGroupID: &id})
	o.ok(err)
	_, err = o.org.ReadUserGroup(o.ctx, &organization.ReadUserGroupInput{UserGroupID: &id})
	o.gone("a deleted group", "USER_GROUP_DOESNT_EXIST", err)
}

func (o *tenant) unmake() {
	_, err := o.clouds.CloudProviderCommon().DeleteAccount(o.ctx, &common.DeleteAccountInput{AccountID: &o.account})
	o.ok(err)
	_, err = o.clouds.CloudProviderCommon().ReadAccount(o.ctx, &common.ReadAccountInput{AccountID: &o.account})
	o.gone("a deleted account", "Account_DOESNT_EXIST", err)
	_, err = o.clouds.CloudProviderCommon().DeleteAccount(o.ctx, &common.DeleteAccountInput{AccountID: spotinst.String(o.server.account)})
	o.gone("the default account", "CANT_DELETE_DEFAULT_ACCOUNT", err)
}
