// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IPayments} from "../IPayments.sol";
import {IVendorRegistry} from "../IVendorRegistry.sol";
import {MoodyAccount} from "./MoodyAccount.sol";
import {MoodyToken} from "./MoodyToken.sol";
import {Stablecoin} from "./Stablecoin.sol";
import {Test} from "./Test.t.sol";

/// @dev The runner's cheat codes for keys.
interface VmKeys {
    function addr(uint256 privateKey) external pure returns (address);
    function sign(uint256 privateKey, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
}

/// @dev Who and what there is: accounts, three currencies, signatures, and a ledger of what everyone owns. The ledger is
/// worked out without looking at the contracts. Every choice is drawn from the one number that a call comes with.
abstract contract HandlerWorld is Test {
    address internal constant NATIVE = address(0);
    uint256 internal constant WEALTH = 1 << 140;
    uint256 internal constant GAS = 10_000_000;

    VmKeys private constant VM_KEYS = VmKeys(address(vm));
    uint256 private constant CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    IVendorRegistry public registry;
    IPayments public payments;

    /// @dev Keeps every promise; permits and authorisations included.
    Stablecoin public honest;
    /// @dev Keeps those that its mood lets it keep.
    MoodyToken public hostile;
    /// @dev A buyer that is a contract.
    MoodyAccount public wallet;
    /// @dev A payout account that is a contract.
    MoodyAccount public purse;

    address[] public tokens;
    address[] internal _payers;
    address[] internal _payouts;
    address internal _stranger;

    /// @dev Everyone who could gain or lose, Payments included.
    address[] internal _accounts;

    /// @dev What each of them must own now.
    mapping(address token => mapping(address account => uint256)) public wealth;

    /// @dev What came in and went out by the books, and what was forced in.
    mapping(address token => uint256) public paidIn;
    mapping(address token => uint256) public paidOut;
    mapping(address token => uint256) public gifts;

    /// @dev What no payout account took.
    mapping(uint64 vendorId => mapping(address token => uint256)) internal _kept;

    /// @dev What Payments may take from an account, and how many permits an account has used up.
    mapping(address token => mapping(address account => uint256)) internal _allowance;
    mapping(address token => mapping(address account => uint256)) internal _permits;

    /// @dev Calls that were carried out because somebody had signed them, and the messages that work once.
    bytes[] internal _carriedOut;
    bytes32[] internal _used;
    mapping(bytes32 structHash => bool) internal _isUsed;

    /// @dev How often Payments accepted and refused each of its functions.
    mapping(bytes4 selector => mapping(bool accepted => uint256)) public outcomes;

    MoodyToken.Mood internal _tokenMood;
    address internal _blocked;
    mapping(address account => MoodyAccount.Mood) internal _moodOf;
    bool internal _walletAgrees = true;

    mapping(address account => uint256) private _keys;
    uint256 private _dice;

    constructor(IVendorRegistry registry_) {
        registry = registry_;
        payments = IPayments(registry_.payments());
        honest = Stablecoin(deploy("Stablecoin.sol:Stablecoin"));
        hostile = MoodyToken(deploy("MoodyToken.sol:MoodyToken"));
        wallet = MoodyAccount(payable(deploy("MoodyAccount.sol:MoodyAccount")));
        purse = MoodyAccount(payable(deploy("MoodyAccount.sol:MoodyAccount")));
        tokens = [NATIVE, address(honest), address(hostile)];
        _payers = [newAccount("buyer"), newAccount("another buyer"), address(wallet)];
        _payouts = [newAccount("payout"), address(purse), newAccount("another payout"), address(payments)];
        _stranger = newAccount("stranger");
        _accounts.push(address(wallet));
        _accounts.push(address(purse));
        _accounts.push(address(payments));

        (address walletKey, uint256 privateKey) = keyOf("wallet");
        _keys[address(wallet)] = privateKey;
        wallet.signFor(walletKey, true);
        purse.become(MoodyAccount.Mood.Refuses);
        _moodOf[address(purse)] = MoodyAccount.Mood.Refuses;
        address[2] memory rich = [_payers[0], address(wallet)];
        for (uint256 i = 0; i < rich.length; ++i) approve(rich[i], type(uint256).max);
        for (uint256 i = 0; i < _payers.length; ++i) {
            vm.deal(_payers[i], WEALTH);
            honest.mint(_payers[i], WEALTH);
            hostile.mint(_payers[i], WEALTH);
            for (uint256 j = 0; j < tokens.length; ++j) wealth[tokens[j]][_payers[i]] = WEALTH;
        }
    }

    /// @dev Decides what a call of the runner does. A moment passes, or none.
    modifier rolls(uint256 seed) {
        _dice = seed;
        if (roll(2) == 0) skip(roll(6));
        _;
    }

    function allAccounts() external view returns (address[] memory) {
        return _accounts;
    }

    /// @dev What each of them must own now.
    function wealthIn(address token) external view returns (uint256[] memory result) {
        result = new uint256[](_accounts.length);
        for (uint256 i = 0; i < result.length; ++i) result[i] = wealth[token][_accounts[i]];
    }

    function usedDigests() external view returns (bytes32[] memory) {
        return _used;
    }

    /// @dev How often Payments could be entered by what it called.
    function entries() external view returns (uint256) {
        return hostile.entries() + wallet.entries() + purse.entries();
    }

    // Choices

    function roll(uint256 sides) internal returns (uint256) {
        _dice = uint256(keccak256(abi.encode(_dice)));
        return _dice % sides;
    }

    function oneIn(uint256 times) internal returns (bool) {
        return roll(times) == 0;
    }

    /// @dev To a moment that is still to come, or the one before it.
    function skipTo(uint256 moment) internal {
        moment -= roll(2);
        if (moment > block.timestamp) vm.warp(moment);
    }

    /// @dev One of so many, mostly one that is liked.
    function pick(uint256 count, function(uint256) view returns (bool) likes) internal returns (uint256 index) {
        index = roll(count);
        if (oneIn(10)) return index;
        for (uint256 i = 0; i < count && !likes(index); ++i) index = (index + 1) % count;
    }

    function anyone() internal returns (address) {
        return _accounts[roll(_accounts.length)];
    }

    function anyPayer() internal returns (address) {
        return _payers[roll(_payers.length)];
    }

    /// @dev Where money may be sent to; now and then nowhere.
    function anyRefundTo() internal returns (address) {
        return oneIn(12) ? address(0) : anyone();
    }

    /// @dev Calls Payments, which has to accept what is allowed, and nothing else.
    function attempt(
        address caller,
        uint256 value,
        bytes memory data,
        bool allowed
    ) internal returns (bool accepted, bytes memory answer) {
        (accepted, answer) = attemptWith(GAS, caller, value, data, allowed);
        vm.assertTrue(accepted || !allowed, "what is allowed is accepted");
    }

    /// @dev The same with less gas, of which there may be too little.
    function attemptWith(
        uint256 gas,
        address caller,
        uint256 value,
        bytes memory data,
        bool allowed
    ) internal returns (bool accepted, bytes memory answer) {
        vm.prank(caller);
        (accepted, answer) = address(payments).call{value: value, gas: gas}(data);
        vm.assertTrue(!accepted || allowed, "what is accepted is allowed");
        ++outcomes[bytes4(data)][accepted];
    }

    /// @dev Gas that may be too little for a call, which then is refused; it must not change what comes of one.
    function someLittleGas() internal returns (uint256) {
        return 60_000 + roll(900_000);
    }

    // Money

    function approve(address account, uint256 amount) internal {
        for (uint256 i = 1; i < tokens.length; ++i) {
            vm.prank(account);
            Stablecoin(tokens[i]).approve(address(payments), amount);
            _allowance[tokens[i]][account] = amount;
        }
    }

    /// @dev Whether an account takes coins.
    function takesCoins(address account) internal view returns (bool) {
        MoodyAccount.Mood mood = _moodOf[account];
        return account != address(payments) && mood != MoodyAccount.Mood.Refuses && mood != MoodyAccount.Mood.BurnsGas;
    }

    /// @dev Whether Payments can take tokens out of an account, for itself or for another.
    function canPull(address token, address from, address to, uint256 amount) internal view returns (bool) {
        if (token == address(hostile)) {
            if (_tokenMood == MoodyToken.Mood.Idle) return from == to;
            if (_tokenMood == MoodyToken.Mood.TakesFee) return false;
            if (!movesTo(to)) return false;
        }
        return wealth[token][from] >= amount;
    }

    /// @dev Whether what Payments sends goes, by all that Payments can know.
    function canSend(address token, address to, uint256 amount) internal view returns (bool) {
        if (to == address(payments)) return false;
        if (token == NATIVE) return takesCoins(to);
        if (token == address(honest) || _tokenMood == MoodyToken.Mood.Idle) return true;
        return movesTo(to) && wealth[token][address(payments)] >= amount;
    }

    /// @dev Whether the hostile token, in its mood, moves anything to an account.
    function movesTo(address to) private view returns (bool) {
        if (_tokenMood == MoodyToken.Mood.Blocks) return to != _blocked;
        return
            _tokenMood != MoodyToken.Mood.Denies &&
            _tokenMood != MoodyToken.Mood.Reverts &&
            _tokenMood != MoodyToken.Mood.BurnsGas;
    }

    /// @dev Money changes hands.
    function move(address token, address from, address to, uint256 amount) internal {
        bool moody = token == address(hostile);
        if (moody && _tokenMood == MoodyToken.Mood.Idle) return;
        wealth[token][from] -= amount;
        if (moody && _tokenMood == MoodyToken.Mood.TakesFee) amount -= hostile.feeOf(amount);
        wealth[token][to] += amount;
    }

    /// @dev Payments sends money of its books.
    function paid(address token, address to, uint256 amount) internal {
        paidOut[token] += amount;
        move(token, address(payments), to, amount);
    }

    // Signatures

    function newAccount(string memory name) internal returns (address account) {
        (address created, uint256 privateKey) = keyOf(name);
        _keys[created] = privateKey;
        _accounts.push(created);
        return created;
    }

    function digestOf(bytes32 structHash) internal view returns (bytes32) {
        return digestIn(paymentsDomain(block.chainid, address(payments)), structHash);
    }

    /// @dev A message of Payments, signed by an account, or by something that only looks like it.
    /// @return signature Bytes
    /// @return good Whether it is the account's word
    function signature(address account, bytes32 structHash) internal returns (bytes memory, bool good) {
        bytes32 digest = digestOf(structHash);
        uint256 forgery = roll(40);
        good = account == address(wallet) ? _walletAgrees : _keys[account] != 0;
        if (forgery == 0) return (signedBy(_keys[_stranger], digest), account == _stranger);
        if (forgery == 1) digest = digestIn(paymentsDomain(block.chainid + 1, address(payments)), structHash);
        if (forgery == 2) digest = digestIn(paymentsDomain(block.chainid, address(registry)), structHash);
        bytes memory sealed_ = signedBy(_keys[account], digest);
        if (forgery == 3) sealed_ = withHighS(sealed_);
        if (forgery == 4) sealed_ = abi.encodePacked(digest, digest);
        return (sealed_, good && forgery > 4);
    }

    /// @dev A permit (EIP-2612) of an amount for Payments, or none, or a bad one.
    /// @return permit Bytes
    /// @return good Whether the token will take it
    function permitFor(
        address token,
        address account,
        uint256 amount,
        uint256 deadline
    ) internal returns (bytes memory permit, bool good) {
        uint256 form = roll(6);
        if (form == 0 || token == NATIVE) return ("", false);
        uint256 given = form == 1 ? amount + 1 : amount;
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                account,
                address(payments),
                given,
                _permits[token][account],
                deadline
            )
        );
        permit = signedBy(_keys[account], digestIn(Stablecoin(token).DOMAIN_SEPARATOR(), structHash));
        good = form > 1 && account != address(wallet) && _keys[account] != 0 && block.timestamp <= deadline;
        if (good && form == 2) {
            // Somebody carries it out first, which only spares Payments the work.
            carryOut(token, account, amount, deadline, permit);
            good = false;
        }
    }

    /// @dev An EIP-3009 authorisation of an amount for Payments, or a bad one.
    function authorization(
        address token,
        address account,
        uint256 amount,
        uint256 deadline,
        bytes32 nonce
    ) internal returns (bytes memory given, bool good) {
        if (token == NATIVE) return ("", false);
        bool wrong = oneIn(10);
        bytes32 typeHash = keccak256(
            "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,"
            "bytes32 nonce)"
        );
        bytes32 structHash = keccak256(
            abi.encode(typeHash, account, address(payments), amount, 0, deadline, wrong ? bytes32(0) : nonce)
        );
        given = signedBy(_keys[account], digestIn(Stablecoin(token).DOMAIN_SEPARATOR(), structHash));
        good = !wrong && block.timestamp < deadline;
        if (account != address(wallet)) return (given, good);
        // By its length a token knows a wallet's from a plain key's.
        return (abi.encodePacked(given, hex"00"), good && _walletAgrees);
    }

    /// @dev A signed message was carried out by a call.
    function use(bytes32 structHash, bytes memory data) internal {
        _carriedOut.push(data);
        _used.push(digestOf(structHash));
        _isUsed[structHash] = true;
    }

    function carryOut(address token, address account, uint256 amount, uint256 deadline, bytes memory permit) private {
        (bytes32 r, bytes32 s, uint8 v) = split(permit);
        Stablecoin(token).permit(account, address(payments), amount, deadline, v, r, s);
        ++_permits[token][account];
        _allowance[token][account] = amount;
    }

    function withHighS(bytes memory given) private pure returns (bytes memory) {
        (bytes32 r, bytes32 s, uint8 v) = split(given);
        return abi.encodePacked(r, CURVE_ORDER - uint256(s), v == 27 ? uint8(28) : uint8(27));
    }

    function split(bytes memory given) private pure returns (bytes32 r, bytes32 s, uint8 v) {
        assembly ("memory-safe") {
            r := mload(add(given, 32))
            s := mload(add(given, 64))
            v := byte(0, mload(add(given, 96)))
        }
    }

    function signedBy(uint256 privateKey, bytes32 digest) private pure returns (bytes memory) {
        // An account without a key signs with somebody's.
        (uint8 v, bytes32 r, bytes32 s) = VM_KEYS.sign(privateKey == 0 ? 1 : privateKey, digest);
        return abi.encodePacked(r, s, v);
    }

    function keyOf(string memory name) private pure returns (address, uint256 privateKey) {
        privateKey = uint256(keccak256(bytes(name))) % CURVE_ORDER;
        return (VM_KEYS.addr(privateKey), privateKey);
    }

    function paymentsDomain(uint256 chainId, address verifyingContract) private pure returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                    keccak256("Chrove Payments"),
                    keccak256("1"),
                    chainId,
                    verifyingContract
                )
            );
    }

    function digestIn(bytes32 domain, bytes32 structHash) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }
}
