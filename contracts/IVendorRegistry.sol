// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @title The list of vendors that nobody can take down
/// @notice A vendor publishes where it answers, which keys it answers with, and what it sells. There is no admin:
/// only a vendor's own accounts can change that vendor. Ids are dense from 1, and each change of a vendor raises its
/// `version` by one and says so in its event, so that a reader of events can prove it has missed none.
interface IVendorRegistry {
    /// @notice How the money of an order reaches the vendor: at once, or second by second while the order runs.
    enum Settlement {
        Instant,
        Streamed
    }

    /// @notice What a vendor states about itself when it registers.
    /// @param operator Hot key that may change everything but `owner` and `payout`; zero for none
    /// @param payout Where money goes; never zero
    /// @param signingKey RFC 7638 SHA-256 thumbprint of the RSA key that signs price documents
    /// @param encryptionKey RFC 7638 SHA-256 thumbprint of the RSA key that requests are encrypted to
    /// @param endpoints Up to 8 places where the vendor answers, each 1 to 256 bytes, in order of preference
    /// @param profile Up to 4096 bytes of JSON: title, description, logo, service types, regions
    struct VendorInput {
        address operator;
        address payout;
        bytes32 signingKey;
        bytes32 encryptionKey;
        string[] endpoints;
        string profile;
    }

    /// @notice A vendor as it stands. `planCount` plans exist, with ids 1 to `planCount`.
    struct Vendor {
        address owner;
        address pendingOwner;
        address operator;
        address payout;
        bool active;
        uint32 version;
        uint32 planCount;
        bytes32 signingKey;
        bytes32 encryptionKey;
        string[] endpoints;
        string profile;
    }

    /// @notice What a plan sells; it never changes: a new price is a new plan.
    /// @param token ERC-20 the price is in; zero for the native coin
    /// @param price Smallest units of `token` for one period; at least 1
    /// @param periodSeconds Length of a period in seconds; at least 1
    /// @param maxPeriods How many periods may be paid ahead, counted from now; at least 1
    /// @param title Up to 256 bytes
    struct PlanInput {
        address token;
        uint128 price;
        uint32 periodSeconds;
        uint16 maxPeriods;
        Settlement settlement;
        string title;
    }

    /// @notice A plan as it stands. `onSale` is the only field that can change.
    struct Plan {
        address token;
        uint128 price;
        uint32 periodSeconds;
        uint16 maxPeriods;
        Settlement settlement;
        bool onSale;
        string title;
    }

    /// @notice What Payments needs of a plan, in as few storage reads as possible.
    /// @param forSale Whether the vendor is active and the plan on sale
    struct Terms {
        address payout;
        address token;
        uint128 price;
        uint32 periodSeconds;
        uint16 maxPeriods;
        Settlement settlement;
        bool forSale;
    }

    /// @notice A vendor exists from now on, active and without plans. Its `version` is 1.
    event VendorRegistered(
        uint64 indexed vendorId,
        address indexed owner,
        uint32 version,
        address operator,
        address payout,
        bytes32 signingKey,
        bytes32 encryptionKey,
        string[] endpoints,
        string profile
    );
    /// @notice All endpoints of a vendor were replaced by these.
    event EndpointsChanged(uint64 indexed vendorId, uint32 version, string[] endpoints);
    /// @notice Both key thumbprints of a vendor were replaced by these.
    event KeysChanged(uint64 indexed vendorId, uint32 version, bytes32 signingKey, bytes32 encryptionKey);
    /// @notice The profile of a vendor was replaced by this.
    event ProfileChanged(uint64 indexed vendorId, uint32 version, string profile);
    /// @notice A vendor was opened or closed for new orders.
    event ActiveChanged(uint64 indexed vendorId, uint32 version, bool active);
    /// @notice The operator of a vendor was replaced; zero for none.
    event OperatorChanged(uint64 indexed vendorId, uint32 version, address operator);
    /// @notice Money of a vendor goes here from now on, what is already earned included.
    event PayoutChanged(uint64 indexed vendorId, uint32 version, address payout);
    /// @notice A vendor was offered to a new owner; zero if an offer was taken back.
    event OwnershipTransferStarted(uint64 indexed vendorId, uint32 version, address indexed pendingOwner);
    /// @notice A vendor has a new owner; nothing else about it changed.
    event OwnershipTransferred(uint64 indexed vendorId, uint32 version, address indexed owner);
    /// @notice A plan exists from now on, and is on sale.
    event PlanAdded(
        uint64 indexed vendorId,
        uint32 indexed planId,
        uint32 version,
        address token,
        uint128 price,
        uint32 periodSeconds,
        uint16 maxPeriods,
        Settlement settlement,
        string title
    );
    /// @notice A plan was taken off sale or put back.
    event PlanSaleChanged(uint64 indexed vendorId, uint32 indexed planId, uint32 version, bool onSale);

    /// @notice No vendor has this id.
    error VendorRegistry_UnknownVendor(uint64 vendorId);
    /// @notice The vendor has no plan of this id.
    error VendorRegistry_UnknownPlan(uint64 vendorId, uint32 planId);
    /// @notice Only the owner may do this.
    error VendorRegistry_NotOwner(uint64 vendorId, address caller);
    /// @notice Only the owner or the operator may do this.
    error VendorRegistry_NotOwnerOrOperator(uint64 vendorId, address caller);
    /// @notice The vendor was not offered to the caller.
    error VendorRegistry_NotPendingOwner(uint64 vendorId, address caller);
    /// @notice The payout account is zero.
    error VendorRegistry_ZeroPayout();
    /// @notice A key thumbprint is zero.
    error VendorRegistry_ZeroKey();
    /// @notice More endpoints than `max`.
    error VendorRegistry_TooManyEndpoints(uint256 given, uint256 max);
    /// @notice The endpoint at `index` is empty or longer than `max` bytes.
    error VendorRegistry_EndpointLength(uint256 index, uint256 given, uint256 max);
    /// @notice The profile is longer than `max` bytes.
    error VendorRegistry_ProfileTooLong(uint256 given, uint256 max);
    /// @notice The title of a plan is longer than `max` bytes.
    error VendorRegistry_TitleTooLong(uint256 given, uint256 max);
    /// @notice A plan has to cost something.
    error VendorRegistry_ZeroPrice();
    /// @notice A plan's period has to last.
    error VendorRegistry_ZeroPeriod();
    /// @notice At least one period of a plan has to be on offer.
    error VendorRegistry_ZeroMaxPeriods();

    /// @notice Registers the caller as owner of a new, active vendor.
    /// @return vendorId The next id
    function register(VendorInput calldata input) external returns (uint64 vendorId);

    /// @notice Replaces all endpoints. Owner or operator.
    function setEndpoints(uint64 vendorId, string[] calldata endpoints) external;

    /// @notice Replaces both key thumbprints. Owner or operator.
    /// Warning: price documents and requests under the old keys are refused by buyers from that block on.
    function setKeys(uint64 vendorId, bytes32 signingKey, bytes32 encryptionKey) external;

    /// @notice Replaces the profile. Owner or operator.
    function setProfile(uint64 vendorId, string calldata profile) external;

    /// @notice Opens or closes the vendor for new orders; running orders are untouched. Owner or operator.
    function setActive(uint64 vendorId, bool active) external;

    /// @notice Appends a plan, on sale at once. Owner or operator.
    /// @return planId The next id of this vendor
    function addPlan(uint64 vendorId, PlanInput calldata input) external returns (uint32 planId);

    /// @notice Withdraws a plan from sale or puts it back; running orders are untouched. Owner or operator.
    function setPlanOnSale(uint64 vendorId, uint32 planId, bool onSale) external;

    /// @notice Replaces the operator; zero for none. Owner only.
    function setOperator(uint64 vendorId, address operator) external;

    /// @notice Replaces the payout account, for money already earned too. Owner only.
    function setPayout(uint64 vendorId, address payout) external;

    /// @notice Offers the vendor to a new owner, who has to accept; zero takes the offer back. Owner only.
    /// Warning: operator and payout stay as they are when the offer is accepted.
    function transferOwnership(uint64 vendorId, address newOwner) external;

    /// @notice Takes over a vendor that was offered to the caller.
    function acceptOwnership(uint64 vendorId) external;

    /// @notice Where a vendor's money goes, and whether it takes new business. Reverts like `vendor`.
    function payee(uint64 vendorId) external view returns (address payout, bool active);

    /// @notice Whether an account may speak for a vendor: it is its owner or operator. False for unknown vendors.
    function isAuthority(uint64 vendorId, address account) external view returns (bool);

    /// @notice How many vendors exist; their ids are 1 to this number.
    function vendorCount() external view returns (uint64);

    /// @notice The Payments contract of this registry, deployed with it.
    function payments() external view returns (address);

    /// @notice One vendor. Reverts with `VendorRegistry_UnknownVendor`.
    function vendor(uint64 vendorId) external view returns (Vendor memory);

    /// @notice One plan. Reverts with `VendorRegistry_UnknownVendor` or `VendorRegistry_UnknownPlan`.
    function plan(uint64 vendorId, uint32 planId) external view returns (Plan memory);

    /// @notice A vendor with all its plans: all a buyer needs, in one call and without any indexer.
    function listing(uint64 vendorId) external view returns (Vendor memory vendor_, Plan[] memory plans);

    /// @notice The terms of one plan. Reverts like `plan`.
    function terms(uint64 vendorId, uint32 planId) external view returns (Terms memory);
}
