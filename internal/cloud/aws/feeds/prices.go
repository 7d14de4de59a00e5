package feeds

import (
	"context"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws/calls"
	"github.com/neap-cloud/neap/internal/money"
)

// spotFor is how long spot prices are remembered: they move a few times a day, and a large region takes twenty calls.
const spotFor = 5 * time.Minute

// spotPrices are those of one product.
type spotPrices struct {
	at     time.Time
	prices []cloud.Price
}

// Prices are the current spot prices of every zone, and of the price list as much as has been read so far. Each product is remembered on its own: a call that
// runs out of time has not been for nothing.
func (r *Region) Prices(ctx context.Context) ([]cloud.Price, error) {
	now := r.Clock.Now()
	var list []cloud.Price
	for _, product := range catalog.Products() {
		some, err := r.spotPrices(ctx, product, now)
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	return append(list, r.listPrices(ctx, now)...), nil
}

func (r *Region) spotPrices(ctx context.Context, product string, now time.Time) ([]cloud.Price, error) {
	r.mu.Lock()
	known := r.spot[product]
	r.mu.Unlock()
	if now.Sub(known.at) < spotFor && !now.Before(known.at) {
		return known.prices, nil
	}
	prices, err := r.readSpotPrices(ctx, product, now)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.spot == nil {
		r.spot = map[string]spotPrices{}
	}
	r.spot[product] = spotPrices{now, prices}
	return prices, nil
}

// readSpotPrices asks for the history from now on, which is what holds now. AWS spells products in two ways.
func (r *Region) readSpotPrices(ctx context.Context, product string, now time.Time) ([]cloud.Price, error) {
	pages := ec2.NewDescribeSpotPriceHistoryPaginator(spotHistory{r.EC2}, &ec2.DescribeSpotPriceHistoryInput{
		StartTime: &now, MaxResults: awssdk.Int32(1000), ProductDescriptions: []string{product, product + inVPC},
	})
	var list []cloud.Price
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, r.Refused("DescribeSpotPriceHistory", r.Name, err)
		}
		for _, told := range page.SpotPriceHistory {
			if p, ok := r.spotPrice(told, product, now); ok {
				list = append(list, p)
			}
		}
	}
	return newest(list), nil
}

const inVPC = " (Amazon VPC)"

// spotPrice reads one row; false for what is no price of the product in a zone of the region, local zones included, where spot is not bought. What is no number
// is told as 0, so that the market can say that this feed tells nonsense.
func (r *Region) spotPrice(told types.SpotPrice, product string, now time.Time) (cloud.Price, bool) {
	zone := awssdk.ToString(told.AvailabilityZone)
	price, err := money.ParsePrice(awssdk.ToString(told.SpotPrice))
	if err != nil {
		price = 0
	}
	if told.Timestamp == nil || !r.hasZone(zone) || strings.TrimSuffix(string(told.ProductDescription), inVPC) != product {
		return cloud.Price{}, false
	}
	from := told.Timestamp.UTC()
	if from.After(now) { // AWS's clock is ahead of ours
		from = now
	}
	in := cloud.Market{Region: r.Name, Zone: zone, Type: string(told.InstanceType), Product: product, Lifecycle: cloud.Spot}
	return cloud.Price{Market: in, Price: price, From: from}, true
}

// hasZone tells the region's own zones ("us-east-1a") from local ones ("us-east-1-bos-1a").
func (r *Region) hasZone(zone string) bool {
	return len(zone) == len(r.Name)+1 && strings.HasPrefix(zone, r.Name)
}

// spotHistory is the one operation that the pages come from.
type spotHistory struct{ client *calls.EC2 }

// DescribeSpotPriceHistory is ec2.DescribeSpotPriceHistoryAPIClient's.
func (s spotHistory) DescribeSpotPriceHistory(ctx context.Context, in *ec2.DescribeSpotPriceHistoryInput, options ...func(*ec2.Options)) (*ec2.DescribeSpotPriceHistoryOutput, error) {
	return s.client.DescribeSpotPriceHistory(ctx, in, options...)
}
