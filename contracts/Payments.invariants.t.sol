// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ChroveHandler} from "./test/ChroveHandler.t.sol";
import {MoodyToken} from "./test/MoodyToken.sol";
import {IOrders} from "./IOrders.sol";
import {IPaymentChannels} from "./IPaymentChannels.sol";
import {IPayments} from "./IPayments.sol";
import {IVendorRegistry} from "./IVendorRegistry.sol";
import {Test} from "./test/Test.t.sol";

/// @dev What holds after any sequence of calls; `contracts/README.md` says it in plain sentences. Each function
/// that the runner sees is a campaign of its own, so there is one for all facts.
contract PaymentsInvariants is Test {
    uint256 private constant VENDORS = 2;
    uint256 private constant TOKENS = 3;
    /// @dev The native coin and the honest token come first.
    uint256 private constant HONEST_TOKENS = 2;

    /// @dev Runs and calls that reach everything, and how often at least.
    uint256 private constant REACH_RUNS = 60;
    uint256 private constant REACH_CALLS = 100;
    uint256 private constant REACH_LEAST = 5;

    /// @dev The contracts' state and the ledger's, both as they are now.
    struct Seen {
        IOrders.Order[] orders;
        ChroveHandler.OrderEntry[] orderEntries;
        IPaymentChannels.Channel[] channels;
        ChroveHandler.ChannelEntry[] channelEntries;
        uint256[TOKENS][VENDORS] kept;
        uint256[TOKENS][VENDORS] keptEntries;
    }

    ChroveHandler private _handler;
    IVendorRegistry private _registry;
    IPayments private _payments;
    address[TOKENS] private _tokens;
    bytes32[] private _orderIds;
    bytes32[] private _channelIds;
    address[] private _tokenOfOrder;
    address[] private _tokenOfChannel;

    function setUp() public {
        vm.warp(1_900_000_000);
        _registry = IVendorRegistry(deploy("VendorRegistry.sol:VendorRegistry"));
        _payments = IPayments(_registry.payments());
        _handler = new ChroveHandler(_registry);
        for (uint256 i = 0; i < TOKENS; ++i) _tokens[i] = _handler.tokens(i);
        for (uint256 i = 0; i < _handler.ORDERS(); ++i) {
            _orderIds.push(_handler.orderIdAt(i));
            _tokenOfOrder.push(_handler.tokenOf(i));
        }
        for (uint256 i = 0; i < _handler.CHANNELS(); ++i) {
            _channelIds.push(_handler.channelIdAt(i));
            _tokenOfChannel.push(_handler.settingsOf(i).token);
        }
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @dev After each call.
    function invariant_LedgerAndContractsAgree() external view {
        Seen memory seen = see();
        BalanceIsPaidInLessPaidOut();
        EveryUnitBelongsToSomebody(seen);
        EachOrderAccountsForItsDeposit(seen);
        OrdersAreWhatWasBought(seen);
        EachChannelAccountsForItsDeposits(seen);
        ChannelsAreAsAgreed(seen);
        ClaimedIsSignedAndDeposited(seen);
        KeptMoneyIsCounted(seen);
        OnlyNamedPartiesGain();
    }

    /// @dev After the last call of each run: what cannot come right again once it is wrong, and how everything ends.
    function afterInvariant() external {
        SignaturesWorkOnce();
        NobodyEntersWhileMoneyMoves();
        VersionsCountChanges();
        IdsAreDense();
        settleEverything();
        NothingIsLeftInTheEnd(see());
    }

    /// @dev The campaign would be worth little if its calls were all refused, or all accepted.
    function test_HandlerReachesBothOutcomesOfEveryFunction() external {
        bytes4[] memory calls = handlerCalls();
        bytes4[] memory functions = paymentsFunctions();
        uint256[] memory accepted = new uint256[](functions.length);
        uint256[] memory refused = new uint256[](functions.length);
        uint256 callBacks = 0;
        for (uint256 run = 0; run < REACH_RUNS; ++run) {
            _handler = new ChroveHandler(IVendorRegistry(deploy("VendorRegistry.sol:VendorRegistry")));
            for (uint256 i = 0; i < REACH_CALLS; ++i) {
                uint256 draw = uint256(keccak256(abi.encode(run, i)));
                (bool done, ) = address(_handler).call(abi.encodeWithSelector(calls[draw % calls.length], draw));
                vm.assertTrue(done, "the handler and its ledger");
            }
            for (uint256 i = 0; i < functions.length; ++i) {
                accepted[i] += _handler.outcomes(functions[i], true);
                refused[i] += _handler.outcomes(functions[i], false);
            }
            callBacks += _handler.hostile().callBacks() + _handler.purse().callBacks() + _handler.wallet().callBacks();
        }
        for (uint256 i = 0; i < functions.length; ++i) {
            vm.assertTrue(accepted[i] >= REACH_LEAST, "rarely accepted");
            vm.assertTrue(refused[i] >= REACH_LEAST, "rarely refused");
        }
        vm.assertTrue(callBacks >= REACH_LEAST, "rarely called back");
    }

    // The single facts

    function BalanceIsPaidInLessPaidOut() private view {
        for (uint256 i = 0; i < HONEST_TOKENS; ++i) {
            address token = _tokens[i];
            uint256 held = _handler.paidIn(token) + _handler.gifts(token) - _handler.paidOut(token);
            vm.assertEq(balanceOf(token, address(_payments)), held, "balance of Payments");
        }
    }

    function EveryUnitBelongsToSomebody(Seen memory seen) private view {
        for (uint256 i = 0; i < TOKENS; ++i) {
            address token = _tokens[i];
            uint256 held = _handler.paidIn(token) - _handler.paidOut(token);
            (uint256 owned, uint256 running) = claimsOn(i, seen);
            // Of each running order one unit at most belongs to neither side yet.
            vm.assertTrue(owned <= held && held - owned <= running, "what is held has an owner");
        }
    }

    function EachOrderAccountsForItsDeposit(Seen memory seen) private view {
        for (uint256 i = 0; i < seen.orders.length; ++i) {
            ChroveHandler.OrderEntry memory entry = seen.orderEntries[i];
            IOrders.Order memory order = seen.orders[i];
            if (entry.startedAt == 0) continue;
            vm.assertEq(order.earned, order.controller == address(0) ? 0 : _handler.owed(i), "earned");
            uint256 undecided =
                entry.deposited - (entry.withdrawn + entry.refunded + uint256(order.earned) + order.refundable);
            vm.assertTrue(undecided <= (block.timestamp < order.endsAt ? 1 : 0), "a unit is lost");
        }
    }

    function OrdersAreWhatWasBought(Seen memory seen) private pure {
        for (uint256 i = 0; i < seen.orders.length; ++i) {
            (IOrders.Order memory order, ChroveHandler.OrderEntry memory entry) = (
                seen.orders[i],
                seen.orderEntries[i]
            );
            vm.assertTrue(
                order.startedAt == entry.startedAt &&
                    order.endsAt == entry.endsAt &&
                    order.periods == entry.periods &&
                    order.controller == entry.controller &&
                    order.cancelled == entry.cancelled,
                "an order is not what was bought"
            );
        }
    }

    function EachChannelAccountsForItsDeposits(Seen memory seen) private pure {
        for (uint256 i = 0; i < seen.channels.length; ++i) {
            ChroveHandler.ChannelEntry memory entry = seen.channelEntries[i];
            uint256 balance = seen.channels[i].balance;
            vm.assertEq(balance + entry.refunded + entry.withdrawn, entry.deposited, "balance of a channel");
        }
    }

    function ChannelsAreAsAgreed(Seen memory seen) private pure {
        for (uint256 i = 0; i < seen.channels.length; ++i) {
            (IPaymentChannels.Channel memory channel, ChroveHandler.ChannelEntry memory entry) = (
                seen.channels[i],
                seen.channelEntries[i]
            );
            vm.assertTrue(
                channel.claimed == entry.claimed &&
                    channel.refunds == entry.refunds &&
                    channel.withdrawTo == entry.withdrawTo &&
                    channel.withdrawableAt == entry.withdrawableAt,
                "a channel is not as agreed"
            );
        }
    }

    function ClaimedIsSignedAndDeposited(Seen memory seen) private pure {
        for (uint256 i = 0; i < seen.channels.length; ++i) {
            IPaymentChannels.Channel memory channel = seen.channels[i];
            vm.assertTrue(channel.claimed <= seen.channelEntries[i].signed, "claimed more than was signed");
            vm.assertTrue(channel.claimed <= channel.balance, "claimed more than there was");
        }
    }

    function KeptMoneyIsCounted(Seen memory seen) private pure {
        for (uint256 i = 0; i < VENDORS; ++i) {
            for (uint256 j = 0; j < TOKENS; ++j) vm.assertEq(seen.kept[i][j], seen.keptEntries[i][j], "kept");
        }
    }

    function OnlyNamedPartiesGain() private view {
        address[] memory accounts = _handler.allAccounts();
        for (uint256 i = 0; i < TOKENS; ++i) {
            address token = _tokens[i];
            uint256[] memory wealth = _handler.wealthIn(token);
            for (uint256 j = 0; j < accounts.length; ++j) {
                vm.assertEq(balanceOf(token, accounts[j]), wealth[j], "wealth of an account");
            }
        }
    }

    function SignaturesWorkOnce() private view {
        bytes32[] memory used = _handler.usedDigests();
        for (uint256 i = 0; i < used.length; ++i) vm.assertTrue(_payments.isUsed(used[i]), "carried out, not used up");
    }

    function NobodyEntersWhileMoneyMoves() private view {
        vm.assertEq(_handler.entries(), 0, "entered while money moved");
    }

    function VersionsCountChanges() private view {
        for (uint64 id = 1; id <= _handler.vendorsRegistered(); ++id) {
            vm.assertEq(_registry.vendor(id).version, _handler.vendorEntry(id).changes, "version");
        }
    }

    function IdsAreDense() private view {
        uint64 count = _registry.vendorCount();
        vm.assertEq(count, _handler.vendorsRegistered(), "vendorCount");
        for (uint64 id = 1; id <= count; ++id) {
            (IVendorRegistry.Vendor memory vendor, IVendorRegistry.Plan[] memory plans) = _registry.listing(id);
            vm.assertEq(vendor.planCount, _handler.vendorEntry(id).plans, "planCount");
            for (uint256 i = 0; i < plans.length; ++i) vm.assertTrue(plans[i].price != 0, "a plan is missing");
        }
    }

    function NothingIsLeftInTheEnd(Seen memory seen) private view {
        for (uint256 i = 0; i < TOKENS; ++i) {
            address token = _tokens[i];
            (uint256 owned, uint256 running) = claimsOn(i, seen);
            vm.assertEq(owned + running, 0, "owned in the end");
            // What the hostile one holds in the end is for its moods to know.
            if (i < HONEST_TOKENS) {
                vm.assertEq(balanceOf(token, address(_payments)), _handler.gifts(token), "held in the end");
            }
        }
    }

    // What they are told from

    function see() private view returns (Seen memory seen) {
        seen.orders = _payments.orders(_orderIds);
        seen.channels = _payments.channels(_channelIds);
        seen.orderEntries = _handler.orderEntries();
        seen.channelEntries = _handler.channelEntries();
        seen.keptEntries = _handler.keptEntries();
        for (uint256 i = 0; i < VENDORS; ++i) {
            for (uint256 j = 0; j < TOKENS; ++j) seen.kept[i][j] = _payments.kept(uint64(i + 1), _tokens[j]);
        }
    }

    /// @dev What Payments says it owes in a token, and how many orders are running.
    function claimsOn(uint256 which, Seen memory seen) private view returns (uint256 owned, uint256 running) {
        address token = _tokens[which];
        for (uint256 i = 0; i < seen.orders.length; ++i) {
            if (_tokenOfOrder[i] != token) continue;
            owned += uint256(seen.orders[i].earned) + seen.orders[i].refundable;
            if (block.timestamp < seen.orders[i].endsAt) ++running;
        }
        for (uint256 i = 0; i < seen.channels.length; ++i) {
            if (_tokenOfChannel[i] == token) owned += seen.channels[i].balance - seen.channels[i].claimed;
        }
        for (uint256 i = 0; i < VENDORS; ++i) owned += seen.kept[i][which];
    }

    function balanceOf(address token, address account) private view returns (uint256) {
        return token == address(0) ? account.balance : MoodyToken(token).balanceOf(account);
    }

    /// @dev The hostile token behaves, vendors can be paid, and all paid time and all delays are over.
    function settleEverything() private {
        _handler.hostile().become(MoodyToken.Mood.Honest);
        // What it lost or gave away by its moods, somebody makes good.
        _handler.hostile().mint(address(_payments), 1 << 140);
        for (uint64 id = 1; id <= VENDORS; ++id) {
            vm.prank(_handler.vendorEntry(id).owner);
            _registry.setPayout(id, address(0xCA00));
        }
        for (uint256 i = 0; i < _channelIds.length; ++i) {
            if (_handler.left(i) == 0) continue;
            IPaymentChannels.ChannelSettings memory settings = _handler.settingsOf(i);
            vm.prank(settings.payer);
            _payments.requestWithdrawal(settings, address(0xCA01));
        }
        skip(1000 days);
        for (uint256 i = 0; i < _channelIds.length; ++i) {
            if (_handler.left(i) != 0) _payments.finalizeWithdrawal(_handler.settingsOf(i));
        }
        ChroveHandler.OrderEntry[] memory entries = _handler.orderEntries();
        for (uint256 i = 0; i < _orderIds.length; ++i) {
            bytes32[] memory orderIds = new bytes32[](1);
            orderIds[0] = _orderIds[i];
            if (entries[i].startedAt != 0) _payments.withdraw(orderIds);
        }
        for (uint64 id = 1; id <= VENDORS; ++id) {
            for (uint256 i = 0; i < TOKENS; ++i) {
                address token = _tokens[i];
                if (_payments.kept(id, token) != 0) _payments.redeliver(id, token);
            }
        }
    }

    function handlerCalls() private view returns (bytes4[] memory selectors) {
        selectors = new bytes4[](27);
        selectors[0] = _handler.buy.selector;
        selectors[1] = _handler.buyWithPermit.selector;
        selectors[2] = _handler.buyWithAuthorization.selector;
        selectors[3] = _handler.cancel.selector;
        selectors[4] = _handler.cancelWithSignature.selector;
        selectors[5] = _handler.vendorRefund.selector;
        selectors[6] = _handler.withdraw.selector;
        selectors[7] = _handler.withdrawWithLittleGas.selector;
        selectors[8] = _handler.deposit.selector;
        selectors[9] = _handler.depositWithPermit.selector;
        selectors[10] = _handler.depositWithAuthorization.selector;
        selectors[11] = _handler.claim.selector;
        selectors[12] = _handler.claimWithLittleGas.selector;
        selectors[13] = _handler.refund.selector;
        selectors[14] = _handler.refundWithSignature.selector;
        selectors[15] = _handler.requestWithdrawal.selector;
        selectors[16] = _handler.requestWithdrawalWithSignature.selector;
        selectors[17] = _handler.finalizeWithdrawal.selector;
        selectors[18] = _handler.redeliver.selector;
        selectors[19] = _handler.replay.selector;
        selectors[20] = _handler.letTimePass.selector;
        selectors[21] = _handler.changeMood.selector;
        selectors[22] = _handler.changeAllowance.selector;
        selectors[23] = _handler.forceMoneyIn.selector;
        selectors[24] = _handler.changeVendor.selector;
        selectors[25] = _handler.acceptVendor.selector;
        selectors[26] = _handler.growList.selector;
    }

    function paymentsFunctions() private view returns (bytes4[] memory selectors) {
        selectors = new bytes4[](17);
        selectors[0] = _payments.buy.selector;
        selectors[1] = _payments.buyWithPermit.selector;
        selectors[2] = _payments.buyWithAuthorization.selector;
        selectors[3] = _payments.cancel.selector;
        selectors[4] = _payments.cancelWithSignature.selector;
        selectors[5] = _payments.vendorRefund.selector;
        selectors[6] = _payments.withdraw.selector;
        selectors[7] = _payments.deposit.selector;
        selectors[8] = _payments.depositWithPermit.selector;
        selectors[9] = _payments.depositWithAuthorization.selector;
        selectors[10] = _payments.claim.selector;
        selectors[11] = _payments.refund.selector;
        selectors[12] = _payments.refundWithSignature.selector;
        selectors[13] = _payments.requestWithdrawal.selector;
        selectors[14] = _payments.requestWithdrawalWithSignature.selector;
        selectors[15] = _payments.finalizeWithdrawal.selector;
        selectors[16] = _payments.redeliver.selector;
    }
}
