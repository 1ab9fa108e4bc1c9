// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ERC165, IERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {IVendorRegistry} from "./IVendorRegistry.sol";
import {Payments} from "./Payments.sol";

/// @title The list of vendors that nobody can take down
/// @notice See `IVendorRegistry`.
/// @dev Answers for who may change a vendor and for what readers see of it; it never holds money.
contract VendorRegistry is IVendorRegistry, ERC165 {
    /// @dev All that a purchase and a version bump need of a vendor.
    struct VendorHead {
        // slot 0
        address payout; // never zero, so it also tells whether the vendor exists
        bool active;
        uint32 version;
        uint32 planCount;
    }

    struct VendorState {
        VendorHead head; // slot 0
        address owner; // slot 1
        address pendingOwner; // slot 2
        address operator; // slot 3
        bytes32 signingKey; // slot 4
        bytes32 encryptionKey; // slot 5
        string[] endpoints; // slot 6
        string profile; // slot 7
    }

    /// @dev All that a purchase needs of a plan in the native coin.
    struct PlanHead {
        // slot 0
        uint128 price; // never zero, so it also tells whether the plan exists
        uint32 periodSeconds;
        uint16 maxPeriods;
        Settlement settlement;
        bool onSale;
        bool hasToken; // spares the read of slot 1 where the price is in the native coin
    }

    struct PlanState {
        PlanHead head; // slot 0
        address token; // slot 1
        string title; // slot 2
    }

    uint256 private constant ENDPOINTS_MAX = 8;
    uint256 private constant ENDPOINT_BYTES_MAX = 256;
    uint256 private constant PROFILE_BYTES_MAX = 4096;
    uint256 private constant TITLE_BYTES_MAX = 256;

    /// @inheritdoc IVendorRegistry
    address public immutable payments;

    /// @inheritdoc IVendorRegistry
    uint64 public vendorCount;

    mapping(uint64 vendorId => VendorState) private _vendors;
    mapping(uint64 vendorId => mapping(uint32 planId => PlanState)) private _plans;

    constructor() {
        payments = address(new Payments());
    }

    /// @inheritdoc IVendorRegistry
    function register(VendorInput calldata input) external returns (uint64 vendorId) {
        _checkPayout(input.payout);
        _checkKeys(input.signingKey, input.encryptionKey);
        _checkEndpoints(input.endpoints);
        _checkProfile(input.profile);

        vendorId = ++vendorCount;
        VendorState storage state = _vendors[vendorId];
        state.head = VendorHead({payout: input.payout, active: true, version: 1, planCount: 0});
        state.owner = msg.sender;
        state.operator = input.operator;
        state.signingKey = input.signingKey;
        state.encryptionKey = input.encryptionKey;
        state.endpoints = input.endpoints;
        state.profile = input.profile;

        emit VendorRegistered(
            vendorId,
            msg.sender,
            1,
            input.operator,
            input.payout,
            input.signingKey,
            input.encryptionKey,
            input.endpoints,
            input.profile
        );
    }

    /// @inheritdoc IVendorRegistry
    function setEndpoints(uint64 vendorId, string[] calldata endpoints) external {
        VendorState storage state = _asOwnerOrOperator(vendorId);
        _checkEndpoints(endpoints);
        state.endpoints = endpoints;
        emit EndpointsChanged(vendorId, ++state.head.version, endpoints);
    }

    /// @inheritdoc IVendorRegistry
    function setKeys(uint64 vendorId, bytes32 signingKey, bytes32 encryptionKey) external {
        VendorState storage state = _asOwnerOrOperator(vendorId);
        _checkKeys(signingKey, encryptionKey);
        state.signingKey = signingKey;
        state.encryptionKey = encryptionKey;
        emit KeysChanged(vendorId, ++state.head.version, signingKey, encryptionKey);
    }

    /// @inheritdoc IVendorRegistry
    function setProfile(uint64 vendorId, string calldata profile) external {
        VendorState storage state = _asOwnerOrOperator(vendorId);
        _checkProfile(profile);
        state.profile = profile;
        emit ProfileChanged(vendorId, ++state.head.version, profile);
    }

    /// @inheritdoc IVendorRegistry
    function setActive(uint64 vendorId, bool active) external {
        VendorState storage state = _asOwnerOrOperator(vendorId);
        state.head.active = active;
        emit ActiveChanged(vendorId, ++state.head.version, active);
    }

    /// @inheritdoc IVendorRegistry
    function addPlan(uint64 vendorId, PlanInput calldata input) external returns (uint32 planId) {
        VendorState storage state = _asOwnerOrOperator(vendorId);
        if (input.price == 0) revert VendorRegistry_ZeroPrice();
        if (input.periodSeconds == 0) revert VendorRegistry_ZeroPeriod();
        if (input.maxPeriods == 0) revert VendorRegistry_ZeroMaxPeriods();
        uint256 titleBytes = bytes(input.title).length;
        if (titleBytes > TITLE_BYTES_MAX) revert VendorRegistry_TitleTooLong(titleBytes, TITLE_BYTES_MAX);

        planId = ++state.head.planCount;
        uint32 version = ++state.head.version;
        PlanState storage planState = _plans[vendorId][planId];
        planState.head = PlanHead({
            price: input.price,
            periodSeconds: input.periodSeconds,
            maxPeriods: input.maxPeriods,
            settlement: input.settlement,
            onSale: true,
            hasToken: input.token != address(0)
        });
        if (input.token != address(0)) planState.token = input.token;
        planState.title = input.title;

        emit PlanAdded(
            vendorId,
            planId,
            version,
            input.token,
            input.price,
            input.periodSeconds,
            input.maxPeriods,
            input.settlement,
            input.title
        );
    }

    /// @inheritdoc IVendorRegistry
    function setPlanOnSale(uint64 vendorId, uint32 planId, bool onSale) external {
        VendorState storage state = _asOwnerOrOperator(vendorId);
        PlanHead storage planHead = _plans[vendorId][planId].head;
        if (planHead.price == 0) revert VendorRegistry_UnknownPlan(vendorId, planId);
        planHead.onSale = onSale;
        emit PlanSaleChanged(vendorId, planId, ++state.head.version, onSale);
    }

    /// @inheritdoc IVendorRegistry
    function setOperator(uint64 vendorId, address operator) external {
        VendorState storage state = _asOwner(vendorId);
        state.operator = operator;
        emit OperatorChanged(vendorId, ++state.head.version, operator);
    }

    /// @inheritdoc IVendorRegistry
    function setPayout(uint64 vendorId, address payout) external {
        VendorState storage state = _asOwner(vendorId);
        _checkPayout(payout);
        state.head.payout = payout;
        emit PayoutChanged(vendorId, ++state.head.version, payout);
    }

    /// @inheritdoc IVendorRegistry
    function transferOwnership(uint64 vendorId, address newOwner) external {
        VendorState storage state = _asOwner(vendorId);
        state.pendingOwner = newOwner;
        emit OwnershipTransferStarted(vendorId, ++state.head.version, newOwner);
    }

    /// @inheritdoc IVendorRegistry
    function acceptOwnership(uint64 vendorId) external {
        VendorState storage state = _existing(vendorId);
        if (msg.sender != state.pendingOwner) revert VendorRegistry_NotPendingOwner(vendorId, msg.sender);
        state.owner = msg.sender;
        delete state.pendingOwner;
        emit OwnershipTransferred(vendorId, ++state.head.version, msg.sender);
    }

    /// @inheritdoc IVendorRegistry
    function listing(uint64 vendorId) external view returns (Vendor memory vendor_, Plan[] memory plans) {
        vendor_ = vendor(vendorId);
        plans = new Plan[](vendor_.planCount);
        for (uint32 i = 0; i < plans.length; ++i) {
            plans[i] = plan(vendorId, i + 1);
        }
    }

    /// @inheritdoc IVendorRegistry
    function terms(uint64 vendorId, uint32 planId) external view returns (Terms memory) {
        VendorHead storage head = _existing(vendorId).head;
        PlanState storage planState = _plans[vendorId][planId];
        PlanHead storage planHead = planState.head;
        if (planHead.price == 0) revert VendorRegistry_UnknownPlan(vendorId, planId);
        return
            Terms({
                payout: head.payout,
                token: planHead.hasToken ? planState.token : address(0),
                price: planHead.price,
                periodSeconds: planHead.periodSeconds,
                maxPeriods: planHead.maxPeriods,
                settlement: planHead.settlement,
                forSale: head.active && planHead.onSale
            });
    }

    /// @inheritdoc IVendorRegistry
    function payee(uint64 vendorId) external view returns (address payout, bool active) {
        VendorHead storage head = _existing(vendorId).head;
        return (head.payout, head.active);
    }

    /// @inheritdoc IVendorRegistry
    function isAuthority(uint64 vendorId, address account) external view returns (bool) {
        VendorState storage state = _vendors[vendorId];
        return account != address(0) && (account == state.owner || account == state.operator);
    }

    /// @notice How a registry is recognised: it answers true for the interface id of `IVendorRegistry`.
    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IVendorRegistry).interfaceId || super.supportsInterface(interfaceId);
    }

    /// @inheritdoc IVendorRegistry
    function vendor(uint64 vendorId) public view returns (Vendor memory) {
        VendorState storage state = _existing(vendorId);
        VendorHead memory head = state.head;
        return
            Vendor({
                owner: state.owner,
                pendingOwner: state.pendingOwner,
                operator: state.operator,
                payout: head.payout,
                active: head.active,
                version: head.version,
                planCount: head.planCount,
                signingKey: state.signingKey,
                encryptionKey: state.encryptionKey,
                endpoints: state.endpoints,
                profile: state.profile
            });
    }

    /// @inheritdoc IVendorRegistry
    function plan(uint64 vendorId, uint32 planId) public view returns (Plan memory) {
        _existing(vendorId);
        PlanState storage planState = _plans[vendorId][planId];
        PlanHead memory head = planState.head;
        if (head.price == 0) revert VendorRegistry_UnknownPlan(vendorId, planId);
        return
            Plan({
                token: planState.token,
                price: head.price,
                periodSeconds: head.periodSeconds,
                maxPeriods: head.maxPeriods,
                settlement: head.settlement,
                onSale: head.onSale,
                title: planState.title
            });
    }

    function _existing(uint64 vendorId) private view returns (VendorState storage state) {
        state = _vendors[vendorId];
        if (state.head.payout == address(0)) revert VendorRegistry_UnknownVendor(vendorId);
    }

    function _asOwner(uint64 vendorId) private view returns (VendorState storage state) {
        state = _existing(vendorId);
        if (msg.sender != state.owner) revert VendorRegistry_NotOwner(vendorId, msg.sender);
    }

    function _asOwnerOrOperator(uint64 vendorId) private view returns (VendorState storage state) {
        state = _existing(vendorId);
        if (msg.sender != state.owner && msg.sender != state.operator) {
            revert VendorRegistry_NotOwnerOrOperator(vendorId, msg.sender);
        }
    }

    function _checkPayout(address payout) private pure {
        if (payout == address(0)) revert VendorRegistry_ZeroPayout();
    }

    function _checkKeys(bytes32 signingKey, bytes32 encryptionKey) private pure {
        if (signingKey == 0 || encryptionKey == 0) revert VendorRegistry_ZeroKey();
    }

    function _checkEndpoints(string[] calldata endpoints) private pure {
        if (endpoints.length > ENDPOINTS_MAX) {
            revert VendorRegistry_TooManyEndpoints(endpoints.length, ENDPOINTS_MAX);
        }
        for (uint256 i = 0; i < endpoints.length; ++i) {
            uint256 given = bytes(endpoints[i]).length;
            if (given == 0 || given > ENDPOINT_BYTES_MAX) {
                revert VendorRegistry_EndpointLength(i, given, ENDPOINT_BYTES_MAX);
            }
        }
    }

    function _checkProfile(string calldata profile) private pure {
        uint256 given = bytes(profile).length;
        if (given > PROFILE_BYTES_MAX) revert VendorRegistry_ProfileTooLong(given, PROFILE_BYTES_MAX);
    }
}
