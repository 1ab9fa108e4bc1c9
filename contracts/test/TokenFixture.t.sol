// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC3009} from "../IERC3009.sol";
import {IMoney} from "../IMoney.sol";
import {IOrders} from "../IOrders.sol";
import {IVendorRegistry} from "../IVendorRegistry.sol";
import {ChroveFixture} from "./ChroveFixture.t.sol";
import {TypedData} from "./TypedData.t.sol";
import {Vm} from "./Vm.t.sol";

/// @dev `Stablecoin`, as far as tests use it.
interface IStablecoin is IERC20, IERC20Permit, IERC3009 {
    function mint(address to, uint256 amount) external;
}

/// @dev Plans in a token, a buyer that has it, and all that the buyer may sign.
abstract contract TokenFixture is ChroveFixture {
    address internal constant NATIVE = address(0);
    uint256 internal constant DEADLINE = START + 1000;

    IStablecoin internal token;
    uint32 internal tokenStreamedPlan;
    uint32 internal tokenInstantPlan;

    function setUp() public virtual override {
        super.setUp();
        token = IStablecoin(deploy("Stablecoin.sol:Stablecoin"));
        token.mint(BUYER, type(uint128).max);
        tokenStreamedPlan = addTokenPlan(address(token), IVendorRegistry.Settlement.Streamed);
        tokenInstantPlan = addTokenPlan(address(token), IVendorRegistry.Settlement.Instant);
    }

    function addTokenPlan(address token_, IVendorRegistry.Settlement settlement) internal returns (uint32) {
        IVendorRegistry.PlanInput memory input = planInput(settlement);
        input.token = token_;
        vm.prank(OWNER);
        return registry.addPlan(vendorId, input);
    }

    /// @dev A second vendor, of a stranger, with the first's plans under the same ids.
    function registerOther(address payout) internal returns (uint64 other) {
        IVendorRegistry.VendorInput memory input = vendorInput();
        input.payout = payout;
        vm.startPrank(STRANGER);
        other = registry.register(input);
        for (uint256 i = 0; i < 4; ++i) {
            IVendorRegistry.PlanInput memory plan = planInput(
                i % 2 == 0 ? IVendorRegistry.Settlement.Streamed : IVendorRegistry.Settlement.Instant
            );
            if (i >= 2) plan.token = address(token);
            registry.addPlan(other, plan);
        }
        vm.stopPrank();
    }

    function approve(uint256 amount) internal {
        vm.prank(BUYER);
        token.approve(address(payments), amount);
    }

    /// @dev The buyer buys a plan in the token by a fresh allowance.
    function buyInToken(uint32 planId, uint16 periods) internal returns (bytes32 orderId) {
        approve(uint256(PRICE) * periods);
        vm.prank(BUYER);
        (orderId, ) = payments.buy(vendorId, planId, KEY, periods, BUYER);
    }

    /// @dev What the buyer would sign to buy a plan.
    function purchaseOf(uint32 planId, uint16 periods) internal view returns (IOrders.Purchase memory) {
        return
            IOrders.Purchase({
                vendorId: vendorId,
                planId: planId,
                keyHash: KEY,
                periods: periods,
                controller: BUYER,
                payer: BUYER,
                amount: PRICE * periods,
                salt: keccak256("a purchase"),
                deadline: DEADLINE
            });
    }

    function digestOf(bytes32 structHash) internal view returns (bytes32) {
        return TypedData.digest(TypedData.paymentsDomain(address(payments)), structHash);
    }

    /// @dev Signs a message of Payments.
    function signed(uint256 privateKey, bytes32 structHash) internal view returns (bytes memory) {
        return sign(privateKey, digestOf(structHash));
    }

    function signPurchase(IOrders.Purchase memory purchase) internal view returns (bytes memory) {
        return signed(BUYER_KEY, TypedData.purchase(purchase));
    }

    /// @dev The buyer's permit for Payments.
    function signPermit(uint256 amount, uint256 deadline) internal view returns (bytes memory) {
        bytes32 structHash = TypedData.permit(BUYER, address(payments), amount, token.nonces(BUYER), deadline);
        return sign(BUYER_KEY, TypedData.digest(token.DOMAIN_SEPARATOR(), structHash));
    }

    /// @dev The buyer's authorisation for Payments.
    function signAuthorization(uint256 amount, uint256 deadline, bytes32 nonce) internal view returns (bytes memory) {
        return sign(BUYER_KEY, authorizationDigest(BUYER, amount, deadline, nonce));
    }

    function authorizationDigest(
        address from,
        uint256 amount,
        uint256 deadline,
        bytes32 nonce
    ) internal view returns (bytes32) {
        bytes32 structHash = TypedData.authorization(from, address(payments), amount, deadline, nonce);
        return TypedData.digest(token.DOMAIN_SEPARATOR(), structHash);
    }

    /// @dev The signature of whoever authorises what a purchase costs.
    function authorize(IOrders.Purchase memory purchase) internal view returns (bytes memory) {
        return signAuthorization(purchase.amount, purchase.deadline, digestOf(TypedData.purchase(purchase)));
    }

    function orderOf(uint32 planId) internal view returns (IOrders.Order memory) {
        return payments.order(vendorId, planId, KEY);
    }

    function balanceOf(address token_, address account) internal view returns (uint256) {
        return token_ == NATIVE ? account.balance : IERC20(token_).balanceOf(account);
    }

    /// @dev How often a token that was watched by `vm.recordLogs` moved.
    function countTransfers(address token_) internal returns (uint256 count) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter == token_ && logs[i].topics[0] == IERC20.Transfer.selector) ++count;
        }
    }

    // How Payments refuses

    function isInvalid(address signer) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IMoney.Payments_SignatureInvalid.selector, signer);
    }

    function isExpired(uint256 deadline) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IMoney.Payments_SignatureExpired.selector, deadline);
    }

    function isReplay(bytes32 digest) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IMoney.Payments_SignatureUsed.selector, digest);
    }

    function isNotVendor(uint64 vendorId_, address account) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IMoney.Payments_NotVendor.selector, vendorId_, account);
    }

    function isNotAToken() internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IMoney.Payments_NotAToken.selector);
    }

    function isWrongValue(uint256 given, uint256 due) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IMoney.Payments_WrongValue.selector, given, due);
    }

    function isInexact(address token_, uint256 received, uint256 expected) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IMoney.Payments_TokenInexact.selector, token_, received, expected);
    }

    function isTransferFailed(address token_, address to, uint256 amount) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IMoney.Payments_TransferFailed.selector, token_, to, amount);
    }

    function isZeroAmount() internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IMoney.Payments_ZeroAmount.selector);
    }

    function isZeroRefundTo() internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IMoney.Payments_ZeroRefundTo.selector);
    }

    function isReentered() internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IMoney.Payments_Reentered.selector);
    }
}
