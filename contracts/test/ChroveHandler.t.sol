// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IPaymentChannels} from "../IPaymentChannels.sol";
import {IVendorRegistry} from "../IVendorRegistry.sol";
import {ChannelsHandler} from "./ChannelsHandler.t.sol";
import {HandlerWorld} from "./HandlerWorld.t.sol";
import {MoodyAccount} from "./MoodyAccount.sol";
import {MoodyToken} from "./MoodyToken.sol";

/// @dev What the runner of invariants calls in any order: all that can be done with orders, payment channels and
/// vendors, and what the world does beside it. It keeps a ledger of its own, worked out without looking at the contracts,
/// and compares what is accepted, what is refused, and every amount.
contract ChroveHandler is ChannelsHandler {
    constructor(IVendorRegistry registry_) HandlerWorld(registry_) {}

    // What may happen

    function letTimePass(uint256 seed) external rolls(seed) {
        uint256[4] memory most = [uint256(20), 10 minutes, 12 hours, 31 days];
        uint256 kind = roll(6);
        if (kind == 0) skipTo(endOfAnOrder());
        else if (kind == 1) skipTo(endOfADelay());
        else skip(roll(most[kind - 2]));
    }

    /// @dev A token, or an account that is a contract, comes to behave otherwise; often as one would wish.
    function changeMood(uint256 seed) external rolls(seed) {
        bytes memory data = someCallBack();
        hostile.callBack(address(payments), data);
        wallet.callBack(address(payments), data);
        purse.callBack(address(payments), data);

        uint256 kind = roll(6);
        if (kind == 0) _tokenMood = MoodyToken.Mood.CallsBack;
        else if (kind == 1) _tokenMood = MoodyToken.Mood.Blocks;
        else if (kind == 2) _tokenMood = MoodyToken.Mood(roll(uint256(type(MoodyToken.Mood).max) + 1));
        else _tokenMood = MoodyToken.Mood.Honest;
        hostile.become(_tokenMood);
        _blocked = oneIn(3) ? anyone() : _vendor[someVendor()].payout;
        hostile.block_(_blocked);
        setMood(wallet);
        setMood(purse);
        _walletAgrees = !oneIn(4);
        wallet.signFor(wallet.key(), _walletAgrees);
    }

    function changeAllowance(uint256 seed) external rolls(seed) {
        uint256[4] memory amounts = [0, 1 + roll(3_000_000), 1 << 120, type(uint256).max];
        approve(anyPayer(), amounts[roll(4)]);
    }

    /// @dev Money that nobody asked for comes into Payments, and what the hostile token has of it changes.
    function forceMoneyIn(uint256 seed) external rolls(seed) {
        uint256 kind = roll(4);
        uint256 amount = 1 + roll(1000);
        if (kind == 0) {
            vm.deal(address(payments), address(payments).balance + amount);
            gifts[NATIVE] += amount;
            wealth[NATIVE][address(payments)] += amount;
        } else if (kind < 3) {
            address token = tokens[kind];
            (kind == 1 ? honest : hostile).mint(address(payments), amount);
            gifts[token] += amount;
            wealth[token][address(payments)] += amount;
        } else {
            // The hostile one rebases.
            uint256 most = wealth[address(hostile)][address(payments)];
            uint256 lost = oneIn(4) ? roll(most + 1) : roll(most < 9 ? most + 1 : 10);
            hostile.burn(address(payments), lost);
            wealth[address(hostile)][address(payments)] -= lost;
        }
    }

    function redeliver(uint256 seed) external rolls(seed) {
        uint256 place = pick(3 * VENDORS, isKept);
        (uint64 vendorId, address token) = (uint64(1 + place / 3), tokens[place % 3]);
        uint256 amount = _kept[vendorId][token];
        if (oneIn(2)) mendPayout(vendorId);
        address payout = _vendor[vendorId].payout;
        (bool accepted, bytes memory answer) = attempt(
            anyone(),
            0,
            abi.encodeCall(payments.redeliver, (vendorId, token)),
            amount != 0 && canSend(token, payout, amount)
        );
        if (!accepted) return;
        vm.assertEq(abi.decode(answer, (uint256)), amount, "redelivered");
        delete _kept[vendorId][token];
        paid(token, payout, amount);
    }

    /// @dev Whatever somebody's signature once did, it does not do again.
    function replay(uint256 seed) external rolls(seed) {
        if (_carriedOut.length != 0) attempt(anyone(), 0, _carriedOut[roll(_carriedOut.length)], false);
    }

    function isKept(uint256 place) private view returns (bool) {
        return _kept[uint64(1 + place / 3)][tokens[place % 3]] != 0;
    }

    function setMood(MoodyAccount account) private {
        uint256 moods = uint256(type(MoodyAccount.Mood).max) + 1;
        MoodyAccount.Mood mood = oneIn(2) ? MoodyAccount.Mood.Takes : MoodyAccount.Mood(roll(moods));
        account.become(mood);
        _moodOf[address(account)] = mood;
    }

    /// @dev What would be accepted of anyone, were it not for who calls when.
    function someCallBack() private returns (bytes memory) {
        uint256 kind = roll(4);
        if (kind == 0) return abi.encodeCall(payments.withdraw, (new bytes32[](0)));
        if (kind == 1) return abi.encodeCall(payments.claim, (new IPaymentChannels.Claim[](0)));
        if (kind == 2) return abi.encodeCall(payments.redeliver, (someVendor(), tokens[roll(3)]));
        bytes32[] memory orderIds = new bytes32[](1);
        orderIds[0] = orderIdAt(roll(ORDERS));
        return abi.encodeCall(payments.withdraw, (orderIds));
    }
}
